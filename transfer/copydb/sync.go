package copydb

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// syncRows is how many keys are compared at a time.
const syncRows = 20_000

// keptKeys is how many keys of refused rows are kept.
const keptKeys = 20_000

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
	if err := s.pass(ctx); err != nil {
		return err
	}
	if !s.crowd {
		return s.settleRefused(ctx)
	}
	if err := s.giveWay(ctx); err != nil {
		return err
	}
	s.again = true
	return s.pass(ctx)
}

// pass goes over the table once.
func (s *syncer) pass(ctx context.Context) error {
	var err error
	if s.t.month < 0 {
		err = s.run(ctx, query{table: s.t})
	} else {
		err = s.byDays(ctx)
	}
	if err != nil {
		return err
	}
	return s.write(ctx)
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
	return nil
}

// syncer catches up with a table.
type syncer struct {
	*copier

	t       *Table
	final   bool
	columns []int // what is compared: the key comes first

	bounds  query // the part of the table that is compared
	wanted  []Row // keys of rows to be fetched and stored
	rows    []Row // rows to be stored, where they are read whole
	size    int   // of rows, in bytes
	gone    []Row // keys of rows to be deleted
	before  Row   // the source's key before the first one wanted, or nil
	refused []Row // keys of rows that could not be stored at once
	crowd   bool  // more of them came than are kept
	again   bool  // the table is gone over a second time because of it
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

// page reads the next rows of one side, and tells whether they are the last ones. One
// that is not full ends the table: what a writer appends meanwhile is for the next pass,
// or this one would run after him for ever.
func (s *syncer) page(ctx context.Context, db database, after Row) (rows []Row, last bool, err error) {
	q := s.bounds
	q.columns, q.after, q.limit = s.columns, after, syncRows
	size := 0
	err = db.read(ctx, q, func(r Row) error {
		if len(s.columns) == len(s.t.Columns) {
			s.t.derive(r)
		}
		rows = append(rows, r)
		if size += r.size(); size >= chunkBytes {
			return errStop
		}
		return nil
	})
	return rows, len(rows) < syncRows && size < chunkBytes, err
}

// stream hands out the rows of one side, one after the other.
type stream struct {
	next  func(after Row) (rows []Row, last bool, err error)
	keyOf func(Row) Row
	page  []Row
	last  Row
	ended bool // no page comes after the one at hand
}

// peek returns the row at hand, nil behind the last one.
func (s *stream) peek() (Row, error) {
	for len(s.page) == 0 && !s.ended {
		var err error
		if s.page, s.ended, err = s.next(s.last); err != nil {
			return nil, err
		}
		if len(s.page) > 0 {
			s.last = s.keyOf(s.page[len(s.page)-1])
		}
	}
	if len(s.page) == 0 {
		return nil, nil
	}
	return s.page[0], nil
}

func (s *stream) drop() { s.page = s.page[1:] }

// run merges both sides of a part of the table.
func (s *syncer) run(ctx context.Context, bounds query) error {
	s.bounds, s.before = bounds, nil
	source := &stream{next: func(after Row) ([]Row, bool, error) { return s.page(ctx, s.source, after) }, keyOf: s.keyOf}
	target := &stream{next: func(after Row) ([]Row, bool, error) { return s.page(ctx, s.target, after) }, keyOf: s.keyOf}
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
		var order int
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
		s.size += r.size()
		return
	}
	if len(s.wanted) == 0 {
		s.before = last
	}
	s.wanted = append(s.wanted, s.keyOf(r))
}

// flush fetches what is wanted, and writes when there is enough: days with a few rows
// each are written together.
func (s *syncer) flush(ctx context.Context) error {
	if err := s.fetch(ctx); err != nil {
		return err
	}
	if len(s.rows)+len(s.gone) < syncRows && s.size < chunkBytes {
		return nil
	}
	return s.write(ctx)
}

// write deletes and stores in one transaction.
func (s *syncer) write(ctx context.Context) error {
	if len(s.rows)+len(s.gone) == 0 {
		return nil
	}
	err := inTx(ctx, s.target, func() error {
		if len(s.gone) > 0 {
			if err := s.target.remove(ctx, s.t, s.gone); err != nil {
				return err
			}
		}
		refused, err := place(ctx, s.target, s.rows, func(rows []Row) error { return s.target.upsert(ctx, s.t, rows) })
		if err != nil {
			return err
		}
		if s.again {
			return s.noteRefused(ctx, refused)
		}
		for _, r := range refused {
			s.refused = append(s.refused, slices.Clone(s.t.keyOf(r.row)))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("catch up with %s: %w", s.t.Name, err)
	}
	if !s.again { // else they were counted before
		s.changed(s.t, int64(len(s.rows)+len(s.gone)))
	}
	s.rows, s.gone, s.size = nil, nil, 0
	if len(s.refused) > s.options.keptKeys {
		s.crowd = true
		return s.giveWay(ctx)
	}
	return nil
}

// few is up to how many rows are fetched one by one.
const few = 20

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
	for len(keys) > 0 {
		full := false
		err := s.source.read(ctx, q, func(r Row) error {
			q.after = s.t.keyOf(r)
			for len(keys) > 0 && s.t.compareKeys(keys[0], q.after) < 0 {
				keys = keys[1:]
			}
			if len(keys) == 0 {
				return errStop
			}
			if s.t.compareKeys(keys[0], q.after) > 0 {
				return nil
			}
			keys = keys[1:]
			if err := s.take(r); err != nil {
				return err
			}
			if full = s.size >= chunkBytes; full {
				return errStop
			}
			return nil
		})
		if err != nil || !full {
			return err
		}
		if err := s.write(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *syncer) take(r Row) error {
	s.t.derive(r)
	s.rows = append(s.rows, r)
	s.size += r.size()
	return nil
}

// settleRefused tries rows again that stood in each other's way: two that exchanged a
// unique value can only be stored when neither is there. What hung on them is
// deleted with them and comes again when its own table is caught up with. Between the two
// only their keys are kept. Where they are more than keptKeys, as of a target that refuses
// all there is, not even these: they give way, and the table is gone over again.
func (s *syncer) settleRefused(ctx context.Context) error {
	if len(s.refused) == 0 {
		return nil
	}
	err := inTx(ctx, s.target, func() error {
		if err := s.removeRefused(ctx); err != nil {
			return err
		}
		for _, key := range s.refused {
			// One that is gone by now is as it should be.
			if err := s.source.read(ctx, query{table: s.t, columns: s.t.all(), after: key, only: true}, s.take); err != nil {
				return err
			}
			if len(s.rows) >= syncRows || s.size >= chunkBytes {
				if err := s.insertAgain(ctx); err != nil {
					return err
				}
			}
		}
		return s.insertAgain(ctx)
	})
	if err != nil {
		return fmt.Errorf("catch up with %s: %w", s.t.Name, err)
	}
	s.refused = nil
	return nil
}

// giveWay takes the rows that were refused out of the target, so that none stands in the
// way of another, and forgets them.
func (s *syncer) giveWay(ctx context.Context) error {
	if err := inTx(ctx, s.target, func() error { return s.removeRefused(ctx) }); err != nil {
		return fmt.Errorf("catch up with %s: %w", s.t.Name, err)
	}
	s.refused = nil
	return nil
}

func (s *syncer) removeRefused(ctx context.Context) error {
	for keys := range slices.Chunk(s.refused, syncRows) {
		if err := s.target.remove(ctx, s.t, keys); err != nil {
			return err
		}
	}
	return nil
}

// insertAgain stores the rows at hand, and notes those that the target still refuses.
func (s *syncer) insertAgain(ctx context.Context) error {
	refused, err := place(ctx, s.target, s.rows, func(rows []Row) error { return s.target.insert(ctx, s.t, rows) })
	s.rows, s.size = nil, 0
	if err != nil {
		return err
	}
	return s.noteRefused(ctx, refused)
}

func (s *syncer) noteRefused(ctx context.Context, refused []refusal) error {
	if !s.final {
		return nil
	}
	for _, r := range refused {
		if err := s.notes.refuse(ctx, s.t, s.t.keyOf(r.row), r.reason); err != nil {
			return err
		}
	}
	return nil
}
