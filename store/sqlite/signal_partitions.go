package sqlite

import (
	"context"
	"time"

	"github.com/hal9-ai/hal9/gen/sqlitedb"
	"github.com/hal9-ai/hal9/model"
)

// dropTimeout takes the place of the bound on a single statement: dropping is many.
const dropTimeout = time.Hour

// SignalPartitionEnsure has nothing to make: a file has no partitions.
func (s *Store) SignalPartitionEnsure(ctx context.Context, _ time.Time) (made bool, err error) {
	return false, s.Ping(ctx)
}

// SignalPartitionList returns the months that hold signals, in order.
func (s *Store) SignalPartitionList(ctx context.Context) (all []model.SignalPartition, err error) {
	err = s.read(ctx, "SignalPartitionList", func(ctx context.Context, rd *reader) error {
		all, err = PartitionList(ctx, rd.conn)
		return err
	})
	return all, err
}

// SignalPartitionDefaultMonths returns none: a file has no default partition.
func (s *Store) SignalPartitionDefaultMonths(ctx context.Context, _ int64) ([]model.SignalMonth, error) {
	return nil, s.Ping(ctx)
}

// SignalPartitionDetach is refused: a file has no partitions.
func (*Store) SignalPartitionDetach(context.Context, time.Time) (model.SignalPartition, error) {
	return model.SignalPartition{}, errNoPartitions()
}

// SignalPartitionAttach is refused: a file has no partitions.
func (*Store) SignalPartitionAttach(context.Context, time.Time) (model.SignalAttached, error) {
	return model.SignalAttached{}, errNoPartitions()
}

// SignalPartitionDetachedList returns none: a file has no partitions.
func (s *Store) SignalPartitionDetachedList(ctx context.Context) ([]model.SignalPartition, error) {
	return nil, s.Ping(ctx)
}

func errNoPartitions() error {
	return &model.Error{
		Kind: model.ErrInvalid, Entity: "signal",
		Reason: "SQLite has no partitions that could be detached or attached; 'hal9 export' writes the signals into a file",
	}
}

// SignalPartitionDrop deletes the months that end at or before the given moment, in
// chunks, so that other writes get their turn. Beside an error it returns those that
// are gone already.
func (s *Store) SignalPartitionDrop(ctx context.Context, before time.Time) (gone []model.SignalPartition, err error) {
	err = s.readFor(ctx, dropTimeout, "SignalPartitionDrop", func(ctx context.Context, rd *reader) error {
		gone, err = PartitionDrop(ctx, rd.conn, s.execAlone, before)
		return err
	})
	return gone, err
}

// execAlone runs a statement as one write among others.
func (s *Store) execAlone(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = s.writer.do(&write{ctx: ctx, query: "SignalPartitionDrop", run: func(ctx context.Context, _ *sqlitedb.Queries) error {
		result, err := s.writer.conn.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	}})
	return changed, err
}
