package copydb

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// compareTables compares both sides row by row and column by column, in the order of
// the keys, which is the same on both engines.
func compareTables(ctx context.Context, tables []Table, source, target rowsFrom, report *Report, step func(t *Table, rows int64)) error {
	for i := range tables {
		t := &tables[i]
		if err := compareTable(ctx, t, source, target, report, step); err != nil {
			return fmt.Errorf("compare %s: %w", t.Name, err)
		}
	}
	report.Compared = true
	return nil
}

func compareTable(ctx context.Context, t *Table, source, target rowsFrom, report *Report, step func(t *Table, rows int64)) error {
	group, inner := errgroup.WithContext(ctx)
	pages := func(rows rowsFrom, derive bool) *stream {
		ready := make(chan []Row, 1)
		group.Go(func() error {
			defer close(ready)
			return pagesOf(inner, t, rows, derive, ready)
		})
		return &stream{keyOf: t.keyOf, next: func(Row) ([]Row, bool, error) {
			page, more := <-ready
			return page, !more, nil
		}}
	}
	a, b := pages(source, true), pages(target, false)
	group.Go(func() error { return merge(t, a, b, report, step) })
	return group.Wait() //nolint:wrapcheck // the caller wraps it
}

// pagesOf reads ahead by a page.
func pagesOf(ctx context.Context, t *Table, rows rowsFrom, derive bool, ready chan<- []Row) error {
	const most, mostBytes = 5000, chunkBytes / 2
	var page []Row
	size := 0
	send := func() error {
		select {
		case ready <- page:
			page, size = make([]Row, 0, len(page)), 0
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := rows(ctx, t, nil, func(r Row) error {
		if derive {
			t.derive(r)
		}
		page = append(page, r)
		if size += r.size(); len(page) >= most || size >= mostBytes {
			return send()
		}
		return nil
	})
	if err == nil && len(page) > 0 {
		err = send()
	}
	return err
}

func merge(t *Table, source, target *stream, report *Report, step func(t *Table, rows int64)) error {
	counts := report.table(t)
	differ := func(kind string, key Row, columns []string) {
		if len(report.Differences) < mostDifferences {
			report.Differences = append(report.Differences, Difference{t.Name, plain(t.keyText(key)), kind, columns})
		}
	}
	for n := int64(1); ; n++ {
		a, err := source.peek()
		if err != nil {
			return err
		}
		b, err := target.peek()
		if err != nil {
			return err
		}
		var order int
		switch {
		case a == nil && b == nil:
			return nil
		case a == nil:
			order = 1
		case b == nil:
			order = -1
		default:
			order = t.compareKeys(t.keyOf(a), t.keyOf(b))
		}
		if order <= 0 {
			counts.SourceRows++
			source.drop()
			step(t, 1)
		}
		if order >= 0 {
			counts.TargetRows++
			target.drop()
		}
		switch {
		case order < 0:
			counts.Missing++
			differ("missing", t.keyOf(a), nil)
		case order > 0:
			counts.Extra++
			differ("extra", t.keyOf(b), nil)
		default:
			if columns := t.differing(a, b); len(columns) > 0 {
				counts.Different++
				differ("different", t.keyOf(a), columns)
			} else {
				counts.Equal++
			}
		}
	}
}

func (t *Table) differing(a, b Row) (names []string) {
	for i, c := range t.Columns {
		if !same(a[i], b[i], c.Kind) {
			names = append(names, c.Name)
		}
	}
	return names
}
