package ingest

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/hal9-ai/hal9/model"
)

// compareAtOnce is how many stored signals one call reads at once to compare them:
// enough to hide the way to the database, few enough to leave the pool to others.
const compareAtOnce = 4

// checkDuplicate compares a signal with the one that is stored under its id.
func (i *Ingest) checkDuplicate(ctx context.Context, signal model.SignalInsertParams) error {
	stored, err := i.store.SignalGet(ctx, model.SignalGetParams{ID: signal.ID, Timestamp: signal.Timestamp})
	if err != nil {
		return fmt.Errorf("read the stored signal to compare it: %w", err)
	}
	same, err := sameSignal(signal, stored)
	if err != nil {
		return fmt.Errorf("compare with the stored signal: %w", err)
	}
	if !same {
		return &model.Error{Kind: model.ErrConflict, Entity: "signal", Field: "id", Reason: "a signal with this id and other content is stored"}
	}
	return nil
}

// checkDuplicates moves the duplicates whose content differs to the failed rows.
func (i *Ingest) checkDuplicates(ctx context.Context, signals []model.SignalInsertParams, result model.BulkResult) (model.BulkResult, error) {
	if len(result.Duplicates) == 0 {
		return result, nil
	}
	conflicts := make([]error, len(result.Duplicates))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compareAtOnce)
	for n, index := range result.Duplicates {
		group.Go(func() error {
			err := i.checkDuplicate(ctx, signals[index])
			if errors.Is(err, model.ErrConflict) {
				conflicts[n] = err
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return model.BulkResult{}, fmt.Errorf("compare duplicates: %w", err)
	}

	checked := model.BulkResult{Inserted: result.Inserted}
	failed := result.Failed
	for n, index := range result.Duplicates {
		if conflicts[n] == nil {
			checked.Duplicates = append(checked.Duplicates, index)
			continue
		}
		for len(failed) > 0 && failed[0].Index < index {
			checked.Failed = append(checked.Failed, failed[0])
			failed = failed[1:]
		}
		checked.Failed = append(checked.Failed, model.RowError{Index: index, Err: conflicts[n]})
	}
	checked.Failed = append(checked.Failed, failed...)
	return checked, nil
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
