package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// mostMonths is how many months a phase prepares: as many as the longest watch gets to.
const mostMonths = 12

// phase is one kind of work on months: prepare readies those of a year and on, and work is
// called for one after the other.
type phase struct {
	name    string
	prepare func(ctx context.Context, st model.Store, year int) error
	work    func(ctx context.Context, st model.Store, month time.Time) error
}

func nothing(context.Context, model.Store, int) error { return nil }

// filled puts rows into each month, whose partition it makes before if it is to have one.
func filled(rows int, ensure bool) func(context.Context, model.Store, int) error {
	const batch = 5000
	return func(ctx context.Context, st model.Store, year int) error {
		for n := range mostMonths {
			month := monthOf(year, n)
			if ensure {
				if _, err := st.SignalPartitionEnsure(ctx, month); err != nil {
					return fmt.Errorf("make a month: %w", err)
				}
			}
			for done := 0; done < rows; done += batch {
				if err := insert(ctx, st, month.Add(time.Duration(done)*time.Second), min(batch, rows-done)); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func ensure(ctx context.Context, st model.Store, month time.Time) error {
	_, err := st.SignalPartitionEnsure(ctx, month)
	return err
}

func drop(ctx context.Context, st model.Store, month time.Time) error {
	_, err := st.SignalPartitionDrop(ctx, month.AddDate(0, 1, 0))
	return err
}

func alone() phase {
	return phase{"nothing", nothing, func(context.Context, model.Store, time.Time) error { return nil }}
}

func postgresPhases() []phase {
	const few, many = 1000, 10_000
	return []phase{
		alone(),
		{"dropping months of 10,000 rows", filled(many, true), drop},
		{"making months ahead", nothing, ensure},
		{"making months, 1,000 rows to move home", filled(few, false), ensure},
		{"making months, 10,000 rows to move home", filled(many, false), ensure},
	}
}

func sqlitePhases() []phase {
	const rows = 10_000
	return []phase{alone(), {"deleting months of 10,000 rows", filled(rows, false), drop}}
}
