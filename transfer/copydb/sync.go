package copydb

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// syncRows is how many keys are compared at a time.
const syncRows = 20_000

// sync makes the target's table what the source's is at this moment, where it was
// copied before: by versions where rows have them, by keys alone where rows never
// change, and of signals only the days whose counts differ. Of a source that is written
// to meanwhile the next pass finds what this one missed; in the last one, behind the
// fence or in a snapshot, final notes what is refused.
func (c *copier) sync(ctx context.Context, t *Table, final bool) error {
	if final {
		if err := c.notes.forgetRefused(ctx, t); err != nil {
			return err
		}
	}
	s := &syncer{copier: c, t: t, final: final, columns: t.Key}
	switch {
	case t.fixed:
	case t.version >= 0:
		s.columns = append(slices.Clone(t.Key), t.version)
	default:
		s.columns = t.all()
	}
	if t.month < 0 {
		if err := s.run(ctx, query{table: t}); err != nil {
			return err
		}
		return s.settleRefused(ctx)
	}
	return s.byDays(ctx)
}

// byDays compares those days of which the two hold different numbers of rows.
func (s *syncer) byDays(ctx context.Context) error {
	source, err := s.source.days(ctx, s.t)
	if err != nil {
		return err
	}
	target, err := s.target.days(ctx, s.t)
	if err != nil {
		return err
	}
	differ := map[int64]int64{}
	for day, n := range source {
		if target[day] != n {
			differ[day] = n
		}
	}
	made, err := ensureMonths(ctx, s.target, differ)
	s.report.PartitionsMade += made
	if err != nil {
		return err
	}
	for day := range target {
		if _, found := source[day]; !found {
			differ[day] = 0
		}
	}
	for _, day := range slices.Sorted(maps.Keys(differ)) {
		const microsOfDay = 86_400_000_000
		if err := s.run(ctx, query{table: s.t, bounded: true, since: day * microsOfDay, until: (day + 1) * microsOfDay}); err != nil {
			return err
		}
	}
	return s.settleRefused(ctx)
}

// syncer is one pass over a table.
type syncer struct {
	*copier

	t       *Table
	final   bool
	columns []int // what is compared: the key comes first

	bounds  query // the part of the table that is compared
	wanted  []Row // keys of rows to be fetched and stored
	rows    []Row // rows to be stored, where they are read whole
	gone    []Row // keys of rows to be deleted
	before  Row   // the source's key before the first one wanted, or nil
	refused []Row // rows that could not be stored at once
}

// keyOf returns the key of a row as it is read here.
func (s *syncer) keyOf(r Row) Row {
	if len(s.columns) == len(s.t.Columns) {
		return s.t.keyOf(r)
	}
	return r[:len(s.t.Key):len(s.t.Key)]
}

func (s *syncer) equal(a, b Row) bool {
	for i, c := range s.columns {
		if !same(a[i], b[i], s.t.Columns[c].Kind) {
			return false
		}
	}
	return true
}

// page reads the next rows of one side.
func (s *syncer) page(ctx context.Context, db database, after Row) ([]Row, error) {
	q := s.bounds
	q.columns, q.after, q.limit = s.columns, after, syncRows
	var rows []Row
	size := 0
	err := db.read(ctx, q, func(r Row) error {
		if len(s.columns) == len(s.t.Columns) {
			s.t.derive(r)
		}
		rows = append(rows, r)
		if size += r.size(); size >= chunkBytes {
			return errStop
		}
		return nil
	})
	return rows, err
}

// stream hands out the rows of one side, one after the other.
type stream struct {
	next  func(after Row) ([]Row, error)
	keyOf func(Row) Row
	page  []Row
	last  Row
	ended bool
}

// peek returns the row at hand, nil behind the last one.
func (s *stream) peek() (Row, error) {
	for len(s.page) == 0 && !s.ended {
		var err error
		if s.page, err = s.next(s.last); err != nil {
			return nil, err
		}
		if s.ended = len(s.page) == 0; !s.ended {
			s.last = s.keyOf(s.page[len(s.page)-1])
		}
	}
	if s.ended {
		return nil, nil
	}
	return s.page[0], nil
}

func (s *stream) drop() { s.page = s.page[1:] }

// run merges both sides of a part of the table.
func (s *syncer) run(ctx context.Context, bounds query) error {
	s.bounds, s.before = bounds, nil
	source := &stream{next: func(after Row) ([]Row, error) { return s.page(ctx, s.source, after) }, keyOf: s.keyOf}
	target := &stream{next: func(after Row) ([]Row, error) { return s.page(ctx, s.target, after) }, keyOf: s.keyOf}
	var last Row
	for {
		// Before a page is fetched: what is fetched again lies within one.
		if len(source.page) == 0 || len(s.gone) >= syncRows {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
		a, err := source.peek()
		if err != nil {
			return err
		}
		b, err := target.peek()
		if err != nil {
			return err
		}
		if a == nil && b == nil {
			return s.flush(ctx)
		}
		order := 0
		switch {
		case a == nil:
			order = 1
		case b == nil:
			order = -1
		default:
			order = s.t.compareKeys(s.keyOf(a), s.keyOf(b))
		}
		switch {
		case order > 0:
			s.gone = append(s.gone, s.keyOf(b))
			target.drop()
			continue
		case order < 0 || !s.equal(a, b):
			s.want(a, last)
		}
		if order == 0 {
			target.drop()
		}
		last = s.keyOf(a)
		source.drop()
	}
}

func (s *syncer) want(r, last Row) {
	if len(s.columns) == len(s.t.Columns) {
		s.rows = append(s.rows, r)
		return
	}
	if len(s.wanted) == 0 {
		s.before = last
	}
	s.wanted = append(s.wanted, s.keyOf(r))
}

// flush fetches what is wanted and writes it.
func (s *syncer) flush(ctx context.Context) error {
	if err := s.fetch(ctx); err != nil {
		return err
	}
	if len(s.rows) == 0 && len(s.gone) == 0 {
		return nil
	}
	if err := s.write(ctx); err != nil {
		return fmt.Errorf("catch up with %s: %w", s.t.Name, err)
	}
	return nil
}

// write deletes and stores in one transaction.
func (s *syncer) write(ctx context.Context) error {
	err := inTx(ctx, s.target, func() error {
		if len(s.gone) > 0 {
			if err := s.target.remove(ctx, s.t, s.gone); err != nil {
				return err
			}
		}
		refused, err := place(ctx, s.target, s.rows, func(rows []Row) error { return s.target.upsert(ctx, s.t, rows) })
		for _, r := range refused {
			s.refused = append(s.refused, r.row)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.changed(s.t, int64(len(s.rows)+len(s.gone)))
	s.rows, s.gone = nil, nil
	return nil
}

// few is up to how many rows are fetched one by one.
const few = 50

// fetch reads the rows that are wanted; of those that are gone by now the next pass
// tells.
func (s *syncer) fetch(ctx context.Context) error {
	keys := s.wanted
	s.wanted = nil
	if len(keys) <= few {
		for _, key := range keys {
			q := query{table: s.t, columns: s.t.all(), after: key, only: true}
			if err := s.source.read(ctx, q, s.take); err != nil {
				return err
			}
		}
		return nil
	}
	q := s.bounds
	q.columns, q.after = s.t.all(), s.before
	size := 0
	for len(keys) > 0 {
		err := s.source.read(ctx, q, func(r Row) error {
			key := s.t.keyOf(r)
			q.after = key
			for len(keys) > 0 && s.t.compareKeys(keys[0], key) < 0 {
				keys = keys[1:]
			}
			if len(keys) == 0 {
				return errStop
			}
			if s.t.compareKeys(keys[0], key) == 0 {
				keys = keys[1:]
				if size += r.size(); size >= chunkBytes {
					return errorsOf(s.take(r), errStop)
				}
				return s.take(r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if size < chunkBytes {
			return nil
		}
		size = 0
		if err := s.write(ctx); err != nil {
			return err
		}
	}
	return nil
}

func errorsOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func (s *syncer) take(r Row) error {
	s.t.derive(r)
	s.rows = append(s.rows, r)
	return nil
}

// settleRefused tries rows again that stood in each other's way: two that exchanged a
// unique value can only be stored when neither is there. What hung on them is
// deleted with them and comes again when its own table is caught up with.
func (s *syncer) settleRefused(ctx context.Context) error {
	if len(s.refused) == 0 {
		return nil
	}
	keys := make([]Row, len(s.refused))
	for i, r := range s.refused {
		keys[i] = s.t.keyOf(r)
	}
	err := inTx(ctx, s.target, func() error {
		if err := s.target.remove(ctx, s.t, keys); err != nil {
			return err
		}
		refused, err := place(ctx, s.target, s.refused, func(rows []Row) error { return s.target.insert(ctx, s.t, rows) })
		if err != nil || !s.final {
			return err
		}
		for _, r := range refused {
			if err := s.notes.refuse(ctx, s.t, s.t.keyOf(r.row), r.reason); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("catch up with %s: %w", s.t.Name, err)
	}
	return nil
}
