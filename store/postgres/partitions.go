package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/model"
)

// PartitionDB is a pool or a connection. The functions below leave the work to
// functions in the database, which bound how long they wait for a lock: waiting
// longer would hold up the inserts that queue behind them. So they try again here.
type PartitionDB interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

const (
	partitionEnsure = "SELECT signals_partition_ensure($1)"
	partitionDrop   = "SELECT signals_partition_drop($1)"
	partitionList   = `SELECT partition_name, range_start, range_end, is_default, row_estimate, total_bytes
		FROM signals_partition_list()`
	// When the months before $1 are gone, what is older lies in the default
	// partition. Which tables there are is the planner's business: a role that may
	// delete from signals needs no right to its partitions.
	partitionPurge = `DELETE FROM signals WHERE timestamp < $1 AND (id, timestamp) IN (
			SELECT id, timestamp FROM signals WHERE timestamp < $1 ORDER BY timestamp LIMIT $2)`

	// purgeChunk bounds how long one transaction holds its rows.
	purgeChunk = 5000

	partitionTries   = 6
	partitionBackoff = 100 * time.Millisecond
)

// PartitionEnsure makes the partition of the month that holds the moment, unless
// there is one.
func PartitionEnsure(ctx context.Context, db PartitionDB, moment time.Time) (made bool, err error) {
	err = patiently(ctx, func() error {
		rows, err := db.Query(ctx, partitionEnsure, moment.UTC())
		if err != nil {
			return err
		}
		made, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
		return err
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == codeDuplicateTable {
		name := moment.UTC().Format("signals_y2006m01")
		return false, &model.Error{
			Kind: model.ErrConflict, Cause: err,
			Reason: "a table called " + name + ", which is no partition of signals, is in the way: rename it, as by ALTER TABLE " + name + " RENAME TO other_name, or drop it",
		}
	}
	if err != nil {
		return false, fmt.Errorf("make the partition of %s: %w", moment.UTC().Format("2006-01"), err)
	}
	return made, nil
}

// PartitionList returns the months in order, the default partition last.
func PartitionList(ctx context.Context, db PartitionDB) ([]model.SignalPartition, error) {
	rows, err := db.Query(ctx, partitionList)
	if err != nil {
		return nil, fmt.Errorf("list the partitions: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (model.SignalPartition, error) {
		var p model.SignalPartition
		var start, end *time.Time
		if err := row.Scan(&p.Name, &start, &end, &p.IsDefault, &p.Rows, &p.Bytes); err != nil {
			return p, err
		}
		if start != nil && end != nil {
			p.Start, p.End = start.UTC(), end.UTC()
		}
		return p, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the partitions: %w", err)
	}
	return all, nil
}

// PartitionDrop drops the months that end at or before the given moment, and deletes
// their rows from the default partition. It returns the months, and the default
// partition with the count of deleted rows if there were any; beside an error, those
// that are gone already.
func PartitionDrop(ctx context.Context, db PartitionDB, before time.Time) ([]model.SignalPartition, error) {
	all, err := PartitionList(ctx, db)
	if err != nil {
		return nil, err
	}
	var gone []model.SignalPartition
	for _, p := range all {
		if p.IsDefault || p.End.After(before) {
			continue
		}
		// One month at a time, the oldest first: each DROP locks out inserts for a
		// moment, and that moment must not grow with the number of months.
		dropped, err := dropUntil(ctx, db, p.End)
		if err != nil {
			return gone, fmt.Errorf("drop partition %s: %w", p.Name, err)
		}
		if slices.Contains(dropped, p.Name) {
			gone = append(gone, p)
		}
	}
	purged, err := purge(ctx, db, monthOf(before))
	if purged > 0 {
		for _, p := range all {
			if p.IsDefault {
				p.Rows = purged
				gone = append(gone, p)
			}
		}
	}
	return gone, err
}

func dropUntil(ctx context.Context, db PartitionDB, end time.Time) (names []string, err error) {
	err = patiently(ctx, func() error {
		rows, err := db.Query(ctx, partitionDrop, end)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, err
}

func purge(ctx context.Context, db PartitionDB, before time.Time) (int64, error) {
	purged := int64(0)
	for {
		var tag pgconn.CommandTag
		err := patiently(ctx, func() (err error) {
			tag, err = db.Exec(ctx, partitionPurge, before, purgeChunk)
			return err
		})
		if err != nil {
			return purged, fmt.Errorf("delete old rows from the default partition: %w", err)
		}
		purged += tag.RowsAffected()
		if tag.RowsAffected() < purgeChunk {
			return purged, nil
		}
	}
}

// patiently repeats what failed because somebody else held a lock.
func patiently(ctx context.Context, attempt func() error) error {
	pause := partitionBackoff
	for try := 1; ; try++ {
		err := attempt()
		pg, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || try == partitionTries || pg.Code != codeLockNotAvailable && pg.Code != codeDeadlockDetected {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause + rand.N(pause)): //nolint:gosec // only spreads those who wait
		}
		pause *= 2
	}
}

const (
	codeDeadlockDetected = "40P01"
	codeDuplicateTable   = "42P07"
)

// monthOf returns the first moment of a month, in UTC.
func monthOf(moment time.Time) time.Time {
	moment = moment.UTC()
	return time.Date(moment.Year(), moment.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// PartitionEnsureSQL returns what PartitionEnsure runs, as a person would type it.
func PartitionEnsureSQL(moment time.Time) string {
	return strings.Replace(partitionEnsure, "$1", literal(moment), 1) + ";\n"
}

// PartitionDropSQL returns what PartitionDrop would run on the partitions that a
// list returned.
func PartitionDropSQL(all []model.SignalPartition, before time.Time) string {
	var b strings.Builder
	for _, p := range all {
		if !p.IsDefault && !p.End.After(before) {
			fmt.Fprintf(&b, "-- %s\n%s;\n", p.Name, strings.Replace(partitionDrop, "$1", literal(p.End), 1))
		}
	}
	fmt.Fprintf(&b, "-- until no row is left\n%s;\n",
		strings.NewReplacer("$1", literal(monthOf(before)), "$2", strconv.Itoa(purgeChunk), "\t", "").Replace(partitionPurge))
	return b.String()
}

func literal(moment time.Time) string {
	return "'" + moment.UTC().Format(time.RFC3339Nano) + "'"
}
