package copydb

import (
	"context"
	"slices"
	"time"
)

// A chunk is what is stored in one transaction, at most.
const (
	chunkRows  = 20_000
	chunkBytes = 8 << 20
	// pageRows is how many rows one query asks for: a source that is in use is not held
	// up by one that lasts.
	pageRows = 100_000
)

// maxMonths bounds how many months a copy makes partitions for. The rows of further
// ones go to the default partition, which takes any.
const maxMonths = 240

// refusal is a row that cannot be stored.
type refusal struct {
	row    Row
	reason string
}

// place stores rows inside the transaction by write, all of them but those that cannot
// be stored: it halves until such a row is alone.
func place(ctx context.Context, db database, rows []Row, write func([]Row) error) ([]refusal, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if err := db.exec(ctx, "SAVEPOINT rows_placed"); err != nil {
		return nil, err
	}
	err := write(rows)
	if err == nil {
		return nil, db.exec(ctx, "RELEASE SAVEPOINT rows_placed")
	}
	reason := db.atFault(err)
	if reason == "" {
		return nil, err
	}
	if err := db.exec(ctx, "ROLLBACK TO SAVEPOINT rows_placed"); err != nil {
		return nil, err
	}
	if err := db.exec(ctx, "RELEASE SAVEPOINT rows_placed"); err != nil {
		return nil, err
	}
	if len(rows) == 1 {
		return []refusal{{rows[0], reason}}, nil
	}
	half := len(rows) / 2
	first, err := place(ctx, db, rows[:half], write)
	if err != nil {
		return nil, err
	}
	second, err := place(ctx, db, rows[half:], write)
	return append(first, second...), err
}

// ensureMonths makes the partitions of the months of these days, those first that hold
// the most rows.
func ensureMonths(ctx context.Context, db database, days map[int64]int64) (made int, err error) {
	rows := map[int]int64{}
	for day, n := range days {
		const secondsOfDay = 86400
		at := time.Unix(day*secondsOfDay, 0).UTC()
		const months = 12
		if at.Year() >= 1 && at.Year() <= 9999 {
			rows[at.Year()*months+int(at.Month())-1] += n
		}
	}
	list := make([]int, 0, len(rows))
	for m := range rows {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b int) int {
		if rows[a] != rows[b] {
			return int(min(1, max(-1, rows[b]-rows[a])))
		}
		return a - b
	})
	return db.months(ctx, list[:min(len(list), maxMonths)])
}
