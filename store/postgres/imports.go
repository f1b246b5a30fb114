package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/gen/pgdb"
	"github.com/hal9-ai/hal9/gen/pgstore"
	"github.com/hal9-ai/hal9/model"
)

const importQuery = "ImportMany"

// ImportMany sends all queries in one round trip, by pgx's pipeline: to wait for each
// answer would take most of the time of an import over a network.
func (t *tx) ImportMany(ctx context.Context, n int, one func(ctx context.Context, q model.Imports, i int) (int64, error)) ([]int64, error) {
	if t.failed != nil {
		return nil, model.AbortedTx(importQuery)
	}
	queue := &importQueue{}
	q := pgstore.New(queue, translate)
	for i := range n {
		if _, err := one(ctx, q, i); err != nil {
			return nil, err
		}
	}
	written, err := queue.send(ctx, t.pgTx)
	if err != nil {
		t.failed = err
		return nil, err
	}
	return written, nil
}

// importQueue is the database that the adapters write to; it only takes note of
// what they would send.
type importQueue struct {
	batch pgx.Batch
	names []string
}

var errNotImport = errors.New("only imports can be sent together")

func (*importQueue) Read(context.Context, string, func(context.Context, *pgdb.Queries) error) error {
	return errNotImport
}

func (*importQueue) ReadReplica(context.Context, string, func(context.Context, *pgdb.Queries) error) error {
	return errNotImport
}

func (q *importQueue) Write(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) error {
	q.names = append(q.names, query)
	return fn(ctx, pgdb.New(q))
}

// Exec takes note of a statement. sqlc's code asks the tag for the rows affected,
// which nobody knows yet.
func (q *importQueue) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Query is no import.
func (*importQueue) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errNotImport
}

// QueryRow is no import.
func (*importQueue) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

type noRow struct{}

func (noRow) Scan(...any) error { return errNotImport }

// send executes the statements and returns how many rows each wrote.
func (q *importQueue) send(ctx context.Context, pgTx pgx.Tx) (_ []int64, err error) {
	results := pgTx.SendBatch(ctx, &q.batch)
	defer func() {
		if closeErr := results.Close(); err == nil && closeErr != nil {
			err = translate(importQuery, closeErr)
		}
	}()
	written := make([]int64, len(q.names))
	for i, name := range q.names {
		tag, err := results.Exec()
		if err != nil {
			return nil, translate(name, err)
		}
		written[i] = tag.RowsAffected()
	}
	return written, nil
}
