package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/model"
)

// dropTimeout takes the place of the bound on a single statement: dropping is many.
const dropTimeout = time.Hour

// SignalPartitionEnsure makes the partition of the month that holds the moment.
func (s *Store) SignalPartitionEnsure(ctx context.Context, moment time.Time) (made bool, err error) {
	if s.heldOff() {
		return false, &model.Error{Kind: model.ErrReadOnly, Entity: "signal"}
	}
	err = s.withConn(ctx, "SignalPartitionEnsure", func(ctx context.Context, conn *pgxpool.Conn) error {
		made, err = PartitionEnsure(ctx, conn, moment)
		return err
	})
	return made, err
}

// SignalPartitionList returns the months in order, the default partition last.
func (s *Store) SignalPartitionList(ctx context.Context) (all []model.SignalPartition, err error) {
	err = s.withConn(ctx, "SignalPartitionList", func(ctx context.Context, conn *pgxpool.Conn) error {
		all, err = PartitionList(ctx, conn)
		return err
	})
	return all, err
}

// SignalPartitionDefaultMonths returns the months whose rows lie in the default partition.
func (s *Store) SignalPartitionDefaultMonths(ctx context.Context, most int64) (months []model.SignalMonth, err error) {
	err = s.withConn(ctx, "SignalPartitionDefaultMonths", func(ctx context.Context, conn *pgxpool.Conn) error {
		months, err = PartitionDefaultMonths(ctx, conn, most)
		return err
	})
	return months, err
}

// SignalPartitionDrop drops the months that end at or before the given moment. Beside
// an error it returns those that are gone already.
func (s *Store) SignalPartitionDrop(ctx context.Context, before time.Time) (gone []model.SignalPartition, err error) {
	if s.heldOff() {
		return nil, &model.Error{Kind: model.ErrReadOnly, Entity: "signal"}
	}
	ctx, cancel := context.WithTimeout(ctx, dropTimeout)
	defer cancel()
	err = s.withConn(ctx, "SignalPartitionDrop", func(ctx context.Context, conn *pgxpool.Conn) error {
		gone, err = PartitionDrop(ctx, conn, before)
		return err
	})
	return gone, err
}
