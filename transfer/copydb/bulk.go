package copydb

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// rowsFrom hands out the rows of a table behind a key, in the order of the keys.
type rowsFrom func(ctx context.Context, t *Table, after Row, each func(Row) error) error

// fromDatabase reads page after page.
func fromDatabase(db database) rowsFrom {
	return func(ctx context.Context, t *Table, after Row, each func(Row) error) error {
		for {
			n := 0
			err := db.read(ctx, query{table: t, columns: t.all(), after: after, limit: pageRows}, func(r Row) error {
				n++
				after = t.keyOf(r)
				return each(r)
			})
			if err != nil {
				return err
			}
			if n < pageRows {
				return nil
			}
		}
	}
}

// bulk copies a table into the target, from where an earlier run ended.
func (c *copier) bulk(ctx context.Context, t *Table, rows rowsFrom) error {
	after, copied, done, err := c.notes.table(ctx, t)
	if err != nil {
		return err
	}
	report := c.report.table(t)
	report.Copied = copied
	c.step(t, copied)
	if done {
		return nil
	}
	began := copied
	group, inner := errgroup.WithContext(ctx)
	chunks := make(chan []Row, 1)
	group.Go(func() error {
		defer close(chunks)
		return chunked(inner, t, c.options.chunkRows, rows, after, chunks)
	})
	group.Go(func() error {
		for chunk := range chunks {
			if err := c.storeChunk(inner, t, chunk, &copied); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("copy %s: %w", t.Name, err)
	}
	c.copied += copied - began
	return c.notes.note(ctx, t, nil, copied, true)
}

// chunked sends the rows of a table in chunks.
func chunked(ctx context.Context, t *Table, most int, rows rowsFrom, after Row, chunks chan<- []Row) error {
	var chunk []Row
	size := 0
	send := func() error {
		select {
		case chunks <- chunk:
			chunk, size = make([]Row, 0, len(chunk)), 0
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := rows(ctx, t, after, func(r Row) error {
		t.derive(r)
		chunk = append(chunk, r)
		size += r.size()
		if len(chunk) < most && size < chunkBytes {
			return nil
		}
		return send()
	})
	if err == nil && len(chunk) > 0 {
		err = send()
	}
	return err
}

// storeChunk stores rows and where they ended in one transaction.
func (c *copier) storeChunk(ctx context.Context, t *Table, chunk []Row, copied *int64) error {
	var refused []refusal
	err := inTx(ctx, c.target, func() error {
		var err error
		refused, err = place(ctx, c.target, chunk, func(rows []Row) error { return c.target.insert(ctx, t, rows) })
		if err != nil {
			return err
		}
		for _, r := range refused {
			if err := c.notes.refuse(ctx, t, t.keyOf(r.row), r.reason); err != nil {
				return err
			}
		}
		return c.notes.note(ctx, t, t.keyOf(chunk[len(chunk)-1]), *copied+int64(len(chunk)-len(refused)), false)
	})
	if err != nil {
		return err
	}
	*copied += int64(len(chunk) - len(refused))
	report := c.report.table(t)
	report.Copied = *copied
	c.step(t, int64(len(chunk)))
	if c.options.afterChunk != nil {
		return c.options.afterChunk()
	}
	return nil
}
