package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// RowQuerier is a database/sql handle, connection or transaction.
type RowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Exec runs one statement in a transaction of its own and returns how many rows it
// touched.
type Exec func(ctx context.Context, query string, args ...any) (int64, error)

const (
	partitionNext  = "SELECT CAST(timestamp AS INTEGER) FROM signals WHERE timestamp >= ? ORDER BY timestamp LIMIT 1"
	partitionCount = "SELECT count(*) FROM signals WHERE timestamp >= ? AND timestamp < ?"
	partitionPurge = "DELETE FROM signals WHERE rowid IN (SELECT rowid FROM signals WHERE timestamp < ? ORDER BY timestamp LIMIT ?)"

	// purgeChunk bounds how long one transaction keeps other writes waiting.
	purgeChunk = 1000
)

// PartitionList returns the months that hold signals, in order. It jumps along the
// index from month to month, and bears the names that PostgreSQL's partitions have.
func PartitionList(ctx context.Context, db RowQuerier) ([]model.SignalPartition, error) {
	var all []model.SignalPartition
	from := int64(-1 << 63)
	for {
		var first int64
		err := db.QueryRowContext(ctx, partitionNext, from).Scan(&first)
		if errors.Is(err, sql.ErrNoRows) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the months: %w", err)
		}
		start := monthOf(time.UnixMicro(first))
		p := model.SignalPartition{
			Name:  start.Format("signals_y2006m01"),
			Start: start, End: start.AddDate(0, 1, 0), Bytes: -1,
		}
		err = db.QueryRowContext(ctx, partitionCount, p.Start.UnixMicro(), p.End.UnixMicro()).Scan(&p.Rows)
		if err != nil {
			return nil, fmt.Errorf("count the signals of %s: %w", start.Format("2006-01"), err)
		}
		all = append(all, p)
		from = p.End.UnixMicro()
	}
}

// PartitionDrop deletes the months that end at or before the given moment, and
// returns them with the counts of rows that they had.
func PartitionDrop(ctx context.Context, db RowQuerier, exec Exec, before time.Time) ([]model.SignalPartition, error) {
	all, err := PartitionList(ctx, db)
	if err != nil {
		return nil, err
	}
	var gone []model.SignalPartition
	for _, p := range all {
		if p.End.After(before) {
			break
		}
		// Month by month, the oldest first: what is deleted when an error strikes is
		// known.
		if p.Rows, err = purge(ctx, exec, p.End); err != nil {
			return gone, err
		}
		gone = append(gone, p)
	}
	return gone, nil
}

func purge(ctx context.Context, exec Exec, before time.Time) (int64, error) {
	purged := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return purged, fmt.Errorf("delete old signals: %w", err)
		}
		began := time.Now()
		n, err := exec(ctx, partitionPurge, before.UnixMicro(), purgeChunk)
		if err != nil {
			return purged, fmt.Errorf("delete old signals: %w", err)
		}
		purged += n
		if n < purgeChunk {
			return purged, nil
		}
		// As long as the chunk took, so that other writes have half of the time.
		select {
		case <-ctx.Done():
		case <-time.After(time.Since(began)):
		}
	}
}

// monthOf returns the first moment of a month, in UTC.
func monthOf(moment time.Time) time.Time {
	moment = moment.UTC()
	return time.Date(moment.Year(), moment.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// PartitionDropSQL returns what PartitionDrop would run, as a person would type it.
func PartitionDropSQL(all []model.SignalPartition, before time.Time) string {
	var b strings.Builder
	for _, p := range all {
		if p.End.After(before) {
			break
		}
		query := strings.Replace(partitionPurge, "?", strconv.FormatInt(p.End.UnixMicro(), 10), 1)
		query = strings.Replace(query, "?", strconv.Itoa(purgeChunk), 1)
		fmt.Fprintf(&b, "-- %s, %d rows, until none is left\n%s;\n", p.Name, p.Rows, query)
	}
	return b.String()
}
