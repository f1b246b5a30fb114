package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// maxMonths bounds how many months an import makes partitions for. The rows of
// further ones go to the default partition, which takes any.
const maxMonths = 240

// makeMonths makes the partitions that a table of signals needs, before its rows
// come: a month is made cheaply only while no row of it is stored.
func makeMonths(ctx context.Context, j *job, table string, moment func(*row) (time.Time, error)) error {
	rows, err := j.source.rows(ctx, table, nil)
	if err != nil {
		return err
	}
	defer rows.close()
	months := map[time.Time]int64{}
	for {
		r, err := rows.next()
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		if t, err := moment(r); err == nil {
			months[time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)]++
		}
	}
	wanted := make([]time.Time, 0, len(months))
	for m := range months {
		wanted = append(wanted, m)
	}
	slices.SortFunc(wanted, func(a, b time.Time) int {
		if months[a] != months[b] {
			return int(months[b] - months[a])
		}
		return a.Compare(b)
	})
	for _, m := range wanted[:min(len(wanted), maxMonths)] {
		made, err := ensureMonth(ctx, j.store, m)
		if err != nil {
			return err
		}
		if made {
			j.report.PartitionsMade++
		}
	}
	return nil
}

// ensureMonth tries a few times: making a partition waits only briefly for its
// lock, so as not to hold up a server that inserts.
func ensureMonth(ctx context.Context, store model.Store, month time.Time) (made bool, err error) {
	const attempts = 5
	for n := 1; ; n++ {
		made, err = store.SignalPartitionEnsure(ctx, month)
		busy := errors.Is(err, model.ErrTimeout) || errors.Is(err, model.ErrUnavailable)
		if err == nil || !busy || n == attempts {
			break
		}
		pause := time.NewTimer(time.Duration(n) * 200 * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			return false, ctx.Err()
		case <-pause.C:
		}
	}
	if err != nil {
		return false, fmt.Errorf("make the partition of %s: %w", month.Format("2006-01"), err)
	}
	return made, nil
}
