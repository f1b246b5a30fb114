package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/gen/pgdb"
	"github.com/hal9-ai/hal9/model"
)

const bulkQuery = "SignalInsertMany"

// copyFrom is the number of rows from which COPY pays, which any duplicate stops.
const copyFrom = 1001

// SignalInsertMany stores signals by COPY, or by unnest if they are few. When a row
// stops that it starts over in a transaction: by unnest, which passes over
// duplicates, and in halves where a row cannot be stored, until that row is alone.
func (s *Store) SignalInsertMany(ctx context.Context, signals []model.SignalInsertParams) (result model.BulkResult, err error) {
	if len(signals) == 0 {
		return result, nil
	}
	err = s.write(ctx, bulkQuery, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		result, err = s.insertMany(ctx, conn, signals)
		return err
	})
	if err != nil {
		return model.BulkResult{}, err
	}
	result.Sort()
	return result, nil
}

func (s *Store) insertMany(ctx context.Context, conn *pgxpool.Conn, signals []model.SignalInsertParams) (model.BulkResult, error) {
	result, err := s.insertAtOnce(ctx, conn, signals)
	if err == nil || !rowAtFault(err) {
		return result, err
	}
	batch, result := model.PrepareSignals(signals)
	sortSignals(batch)
	pgTx, err := conn.BeginTx(ctx, s.cfg.begin())
	if err != nil {
		return result, err
	}
	defer rollback(ctx, pgTx)
	if err := insertSignals(ctx, pgTx, batch, &result); err != nil {
		return result, err
	}
	return result, pgTx.Commit(ctx)
}

// SignalInsertMany stores signals inside the transaction.
func (t *tx) SignalInsertMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error) {
	if t.failed != nil {
		return model.BulkResult{}, model.AbortedTx(bulkQuery)
	}
	batch, result := model.PrepareSignals(signals)
	if len(batch) == 0 {
		return result, nil
	}
	sortSignals(batch)
	err := model.ObserveQuery(ctx, t.observer, bulkQuery, func(ctx context.Context) error {
		return translate(bulkQuery, beforeCommit(insertSignals(ctx, t.pgTx, batch, &result)))
	})
	if err != nil {
		t.failed = err
		return model.BulkResult{}, err
	}
	result.Sort()
	return result, nil
}

// sortSignals puts rows into the order of their ids: calls that store the same ids at
// the same time wait for each other, and in one order they cannot do so in a circle.
func sortSignals(batch []model.IndexedSignal) {
	slices.SortFunc(batch, func(a, b model.IndexedSignal) int {
		return cmp.Or(bytes.Compare(a.ID[:], b.ID[:]), a.Timestamp.Compare(b.Timestamp))
	})
}

// insertAtOnce stores signals by one statement that commits by itself, all or nothing
// but for those that it leaves out as bad or repeated.
func (s *Store) insertAtOnce(ctx context.Context, conn *pgxpool.Conn, signals []model.SignalInsertParams) (model.BulkResult, error) {
	ctx, cancel := s.statementContext(ctx)
	defer cancel()
	if len(signals) >= copyFrom && model.SignalIDsRise(signals) {
		// Nothing has to be known of all rows before the first is sent: they are checked
		// while the engine stores those before them.
		return copySignals(ctx, conn, signals)
	}
	batch, result := model.PrepareSignals(signals)
	if len(batch) == 0 {
		return result, nil
	}
	sortSignals(batch)
	if len(batch) < copyFrom {
		stored, err := unnestSignals(ctx, conn, batch)
		if err == nil {
			noteStored(batch, stored, &result)
		}
		return result, err
	}
	sorted := make([]model.SignalInsertParams, len(batch))
	for i := range batch {
		sorted[i] = batch[i].SignalInsertParams
	}
	copied, err := copySignals(ctx, conn, sorted)
	result.Inserted = copied.Inserted
	return result, err
}

// rowAtFault tells whether the rows, not the engine, stopped a statement.
func rowAtFault(err error) bool {
	err = translate(bulkQuery, err)
	return errors.Is(err, model.ErrInvalid) || errors.Is(err, model.ErrConflict)
}

// insertSignals inserts a batch under a savepoint, and each half by itself when a
// row of it cannot be stored.
func insertSignals(ctx context.Context, pgTx pgx.Tx, batch []model.IndexedSignal, result *model.BulkResult) error {
	savepoint, err := pgTx.Begin(ctx)
	if err != nil {
		return err
	}
	stored, err := unnestSignals(ctx, savepoint, batch)
	if err == nil {
		if err := savepoint.Commit(ctx); err != nil {
			return err
		}
		noteStored(batch, stored, result)
		return nil
	}
	if !rowAtFault(err) {
		return err
	}
	if rollbackErr := savepoint.Rollback(ctx); rollbackErr != nil {
		return rollbackErr
	}
	if len(batch) == 1 {
		result.Failed = append(result.Failed, model.RowError{Index: batch[0].Index, Err: translate("SignalInsert", err)})
		return nil
	}
	half := len(batch) / 2
	if err := insertSignals(ctx, pgTx, batch[:half], result); err != nil {
		return err
	}
	return insertSignals(ctx, pgTx, batch[half:], result)
}

func noteStored(batch []model.IndexedSignal, stored []pgdb.SignalInsertUnnestRow, result *model.BulkResult) {
	result.Inserted += len(stored)
	if len(stored) == len(batch) {
		return
	}
	type key struct {
		id    uuid.UUID
		micro int64
	}
	written := make(map[key]struct{}, len(stored))
	for _, row := range stored {
		written[key{row.ID, row.Timestamp.UnixMicro()}] = struct{}{}
	}
	for _, row := range batch {
		if _, ok := written[key{row.ID, row.Timestamp.UnixMicro()}]; !ok {
			result.Duplicates = append(result.Duplicates, row.Index)
		}
	}
}

func unnestSignals(ctx context.Context, db pgdb.DBTX, batch []model.IndexedSignal) ([]pgdb.SignalInsertUnnestRow, error) {
	n := len(batch)
	texts := make([]string, 6*n) // as many columns of texts
	column := func(i int) []string { return texts[i*n : (i+1)*n : (i+1)*n] }
	p := pgdb.SignalInsertUnnestParams{
		Ids: make([]uuid.UUID, n), FromNeurons: column(0), ToNeurons: column(1), LayersFrom: column(2), LayersTo: column(3),
		PropagationTypes: column(4), Contents: column(5), Metadatas: make([]model.JSON, n), Timestamps: make([]time.Time, n),
	}
	for i := range batch {
		r := &batch[i]
		p.Ids[i], p.Timestamps[i], p.Metadatas[i] = r.ID, r.Timestamp, r.Metadata
		p.FromNeurons[i], p.ToNeurons[i], p.LayersFrom[i], p.LayersTo[i] = r.FromNeuron, r.ToNeuron, r.LayerFrom, r.LayerTo
		p.PropagationTypes[i], p.Contents[i] = r.PropagationType, r.Content
	}
	return pgdb.New(db).SignalInsertUnnest(ctx, p)
}
