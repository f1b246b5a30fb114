package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// compareChunk is how many stored signals are read at once to compare them.
const compareChunk = 500

// checkDuplicate compares a signal with the one that is stored under its id.
func (i *Ingest) checkDuplicate(ctx context.Context, signal model.SignalInsertParams) error {
	stored, err := i.store.SignalGet(ctx, model.SignalGetParams{ID: signal.ID, Timestamp: signal.Timestamp})
	if errors.Is(err, model.ErrNotFound) {
		return nil // retention dropped it just now
	}
	if err != nil {
		return unsure(fmt.Errorf("read the stored signal to compare it: %w", err))
	}
	return compareSignal(signal, stored)
}

// unsure keeps an error that came after rows were stored from saying that none were.
func unsure(err error) error {
	if !errors.Is(err, model.ErrUnavailable) {
		return err
	}
	return &model.Error{Kind: model.ErrInterrupted, Entity: "signal", Cause: err}
}

// checkDuplicates moves the duplicates whose content differs to the failed rows.
func (i *Ingest) checkDuplicates(ctx context.Context, signals []model.SignalInsertParams, result model.BulkResult) (model.BulkResult, error) {
	if len(result.Duplicates) == 0 {
		return result, nil
	}
	checked := model.BulkResult{Inserted: result.Inserted, Failed: result.Failed}
	failed := make(map[signalKey]error, len(result.Failed))
	for _, row := range result.Failed {
		failed[keyOf(signals[row.Index].ID, signals[row.Index].Timestamp)] = row.Err
	}
	for indexes := range slices.Chunk(result.Duplicates, compareChunk) {
		stored, err := i.readStored(ctx, signals, indexes)
		if err != nil {
			return model.BulkResult{}, unsure(fmt.Errorf("read the stored signals to compare them: %w", err))
		}
		for _, index := range indexes {
			row, ok := stored[keyOf(signals[index].ID, signals[index].Timestamp)]
			if !ok {
				// It repeats a row of this call that could not be stored, and shares its
				// fate; or else retention dropped the stored one just now.
				if err := failed[keyOf(signals[index].ID, signals[index].Timestamp)]; err != nil {
					checked.Failed = append(checked.Failed, model.RowError{Index: index, Err: err})
					continue
				}
				checked.Duplicates = append(checked.Duplicates, index)
				continue
			}
			err := compareSignal(signals[index], row)
			switch {
			case err == nil:
				checked.Duplicates = append(checked.Duplicates, index)
			case errors.Is(err, model.ErrConflict):
				checked.Failed = append(checked.Failed, model.RowError{Index: index, Err: err})
			default:
				return model.BulkResult{}, err
			}
		}
	}
	checked.Sort()
	return checked, nil
}

// signalKey is a signal's primary key.
type signalKey struct {
	id uuid.UUID
	at time.Time
}

func keyOf(id uuid.UUID, at time.Time) signalKey { return signalKey{id, model.NormalTime(at)} }

// readStored reads the stored signals that have the ids of these rows.
func (i *Ingest) readStored(ctx context.Context, signals []model.SignalInsertParams, indexes []int) (map[signalKey]model.Signal, error) {
	arg := model.SignalListByIDsParams{Since: model.MaxTime()}
	ids := make([]byte, 0, len(indexes)*len(`"00000000-0000-0000-0000-000000000000",`)+len("[]"))
	ids = append(ids, '[')
	for n, index := range indexes {
		row := &signals[index]
		if n > 0 {
			ids = append(ids, ',')
		}
		ids = append(ids, '"')
		ids = append(ids, row.ID.String()...)
		ids = append(ids, '"')
		if row.Timestamp.Before(arg.Since) {
			arg.Since = row.Timestamp
		}
		if row.Timestamp.After(arg.Until) {
			arg.Until = row.Timestamp
		}
	}
	ids = append(ids, ']')
	arg.Ids = ids
	rows, err := i.store.SignalListByIDs(ctx, arg)
	if err != nil {
		return nil, err
	}
	stored := make(map[signalKey]model.Signal, len(rows))
	for _, row := range rows {
		stored[keyOf(row.ID, row.Timestamp)] = row
	}
	return stored, nil
}

// compareSignal is nil when all of a signal is stored already, and ErrConflict when
// its id is stored with other content.
func compareSignal(signal model.SignalInsertParams, stored model.Signal) error {
	same, err := sameSignal(signal, stored)
	if err != nil {
		return fmt.Errorf("compare with the stored signal: %w", err)
	}
	if !same {
		return &model.Error{Kind: model.ErrConflict, Entity: "signal", Field: "id", Reason: "a signal with this id and other content is stored"}
	}
	return nil
}

// sameSignal compares all fields but id and timestamp, by which stored was found.
func sameSignal(signal model.SignalInsertParams, stored model.Signal) (bool, error) {
	if signal.FromNeuron != stored.FromNeuron || signal.ToNeuron != stored.ToNeuron ||
		signal.LayerFrom != stored.LayerFrom || signal.LayerTo != stored.LayerTo ||
		signal.PropagationType != stored.PropagationType || signal.Content != stored.Content {
		return false, nil
	}
	same, err := model.JSONEqual(signal.Metadata, stored.Metadata)
	if err != nil {
		return false, fmt.Errorf("metadata: %w", err)
	}
	return same, nil
}
