package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/model"
)

const (
	// What no month's range holds lies in the default partition, and the planner leaves
	// out the others: a role that may read signals needs no right to a partition.
	partitionNext  = "SELECT min(timestamp) FROM signals WHERE timestamp >= $1 AND timestamp < $2"
	partitionCount = "SELECT count(*) FROM (SELECT FROM signals WHERE timestamp >= $1 AND timestamp < $2 LIMIT $3) AS counted"
)

// PartitionDefaultMonths returns the months whose rows lie in the default partition, in
// order, each with its count of rows, which goes no further than most. It jumps along the
// index from month to month.
func PartitionDefaultMonths(ctx context.Context, db PartitionDB, most int64) ([]model.SignalMonth, error) {
	all, err := PartitionList(ctx, db)
	if err != nil {
		return nil, err
	}
	var months []model.SignalMonth
	var from time.Time // the year 1 is the first that a signal may have
	for _, p := range append(all, model.SignalPartition{Start: model.MaxTime()}) {
		if p.IsDefault {
			continue
		}
		between, err := monthsBetween(ctx, db, from, p.Start, most)
		if err != nil {
			return nil, fmt.Errorf("list the months of the default partition: %w", err)
		}
		months, from = append(months, between...), p.End
	}
	return months, nil
}

// monthsBetween returns the months of the rows in a span without partitions.
func monthsBetween(ctx context.Context, db PartitionDB, from, until time.Time, most int64) (months []model.SignalMonth, err error) {
	for from.Before(until) {
		first, err := one[*time.Time](ctx, db, partitionNext, from, until)
		if err != nil || first == nil {
			return months, err
		}
		m := model.SignalMonth{Start: monthOf(*first)}
		m.End = m.Start.AddDate(0, 1, 0)
		if m.Rows, err = one[int64](ctx, db, partitionCount, m.Start, m.End, most); err != nil {
			return months, err
		}
		months, from = append(months, m), m.End
	}
	return months, nil
}

// one runs a query that returns one value.
func one[T any](ctx context.Context, db PartitionDB, query string, args ...any) (value T, err error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return value, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
}
