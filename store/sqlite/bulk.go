package sqlite

import (
	"context"
	"errors"

	"github.com/hal9-ai/hal9/gen/sqlitedb"
	"github.com/hal9-ai/hal9/model"
)

const bulkQuery = "SignalInsertMany"

// SignalInsertMany stores signals by a loop over the prepared statement in one
// transaction, which is faster here than any one statement for many rows.
func (s *Store) SignalInsertMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error) {
	if insideTx(ctx, s) {
		return model.BulkResult{}, &model.Error{Kind: model.ErrInTx, Entity: "signal"}
	}
	batch, prepared := model.PrepareSignals(signals)
	if len(batch) == 0 {
		return prepared, nil
	}
	var result model.BulkResult
	err := model.ObserveQuery(ctx, s.cfg.Observer, bulkQuery, func(ctx context.Context) error {
		return translate(bulkQuery, s.writer.do(&write{
			ctx: ctx, query: bulkQuery, multi: true,
			run: func(ctx context.Context, q *sqlitedb.Queries) (err error) {
				result, err = insertSignals(ctx, q, batch, prepared)
				return err
			},
		}))
	})
	if err != nil {
		return model.BulkResult{}, err
	}
	return result, nil
}

// insertSignals inserts each row by itself: a statement that a row stops undoes
// nothing but that row. It adds to a copy of prepared, since the writer may run it
// twice.
func insertSignals(ctx context.Context, q *sqlitedb.Queries, batch []model.IndexedSignal, prepared model.BulkResult) (model.BulkResult, error) {
	result := model.BulkResult{
		Duplicates: append([]int(nil), prepared.Duplicates...),
		Failed:     append([]model.RowError(nil), prepared.Failed...),
	}
	for i := range batch {
		row := &batch[i]
		n, err := q.SignalInsert(ctx, sqlitedb.SignalInsertParams(row.SignalInsertParams))
		switch {
		case err == nil && n == 0:
			result.Duplicates = append(result.Duplicates, row.Index)
		case err == nil:
			result.Inserted++
		default:
			own := translate("SignalInsert", err)
			if !errors.Is(own, model.ErrInvalid) {
				return model.BulkResult{}, err
			}
			result.Failed = append(result.Failed, model.RowError{Index: row.Index, Err: own})
		}
	}
	result.Sort()
	return result, nil
}
