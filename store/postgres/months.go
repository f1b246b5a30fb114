package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/model"
)

const (
	// fewMonths are listed by one statement.
	fewMonths = 3
	// monthsKnown is for how long it is taken for true which month is the oldest, and
	// monthsUnknown how long it is not asked for after that failed.
	monthsKnown   = time.Minute
	monthsUnknown = time.Second
)

// SignalList answers model.Queries.
func (s *Store) SignalList(ctx context.Context, arg model.SignalListParams) ([]model.Signal, error) {
	if err := arg.Normalize(); err != nil {
		return nil, err
	}
	return s.newestMonthsFirst(ctx, span{arg.Since, arg.Until}, arg.PageLimit, func(part span, limit int64) ([]model.Signal, error) {
		arg.Since, arg.Until, arg.PageLimit = part.since, part.until, limit
		return s.Store.SignalList(ctx, arg)
	})
}

// SignalListByNeuron answers model.Queries.
func (s *Store) SignalListByNeuron(ctx context.Context, arg model.SignalListByNeuronParams) ([]model.Signal, error) {
	if err := arg.Normalize(); err != nil {
		return nil, err
	}
	return s.newestMonthsFirst(ctx, span{arg.Since, arg.Until}, arg.PageLimit, func(part span, limit int64) ([]model.Signal, error) {
		arg.Since, arg.Until, arg.PageLimit = part.since, part.until, limit
		return s.Store.SignalListByNeuron(ctx, arg)
	})
}

// span is a time from since to before until.
type span struct{ since, until time.Time }

// newestMonthsFirst lists what lies in a span, the newest first, part by part, until there
// are as many as asked for. A statement for all of it opens the index of each month before it
// returns the first row, though most pages lie in the newest.
//
// The first part is the newest month and what may lie after it; how many months the next one
// has is told by how much those before it held. The last is all that is left, so that nothing
// is missed whatever is known of the months. The parts are no single view of the table, and
// need none: a signal never changes its time, so that each lies in one of them.
func (s *Store) newestMonthsFirst(ctx context.Context, whole span, limit int64, list func(span, int64) ([]model.Signal, error)) ([]model.Signal, error) {
	begin := monthOf(earlier(time.Now(), whole.until.Add(-time.Microsecond)))
	end := s.months.oldest(ctx, s)
	if whole.since.After(end) {
		end = whole.since
	}
	if end.IsZero() || monthsApart(end, begin) < fewMonths {
		return list(whole, limit)
	}
	rows := []model.Signal{} // as from a list, none is not nil
	part := span{until: whole.until}
	for seen := 1; ; {
		part.since = begin
		if !begin.After(end) {
			part.since = whole.since
		}
		more, err := list(part, limit-int64(len(rows)))
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if int64(len(rows)) >= limit || !part.since.After(whole.since) {
			return rows, nil
		}
		part.until = part.since
		months := nextMonths(seen, len(rows), int(limit))
		begin = begin.AddDate(0, -months, 0)
		seen += months
	}
}

// nextMonths is how many months to look at next: as many as hold what is missing, by what the
// months before held, and a quarter more; at least as many as before, so that few statements reach
// the last.
func nextMonths(seen, found, wanted int) int {
	if found == 0 {
		return 4 * seen
	}
	return max(seen, (wanted-found)*seen*5/(found*4)+1)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// monthsApart is how many months lie from one moment's to another's.
func monthsApart(from, to time.Time) int {
	from, to = from.UTC(), to.UTC()
	return (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
}

// months knows which partition is the oldest, as it was when somebody looked. It is safe for
// concurrent use.
type months struct {
	mu    sync.Mutex
	first time.Time
	until time.Time // when to look again
}

// The names of partitions are their months; a table that is called otherwise, as by hand, is
// read with the oldest.
const oldestMonth = `SELECT min(to_date(c.relname, '"signals_y"YYYY"m"MM'))
	FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
	WHERE i.inhparent = to_regclass('signals') AND c.relname ~ '^signals_y[0-9]{4}m(0[1-9]|1[0-2])$'`

// oldest returns the beginning of the oldest month; zero if it is not known. One caller in
// a while looks; the others are not held up.
func (m *months) oldest(ctx context.Context, s *Store) time.Time {
	m.mu.Lock()
	first, now := m.first, time.Now()
	if now.Before(m.until) {
		m.mu.Unlock()
		return first
	}
	m.until = now.Add(monthsKnown)
	m.mu.Unlock()

	var found *time.Time
	err := s.read(ctx, "", func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, oldestMonth).Scan(&found)
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		m.until = time.Now().Add(monthsUnknown) // the list itself tells what is wrong
	case found == nil:
		m.first = time.Time{}
	default:
		m.first = found.UTC()
	}
	return m.first
}
