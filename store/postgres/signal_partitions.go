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

// SignalPartitionDetach takes a month's partition out of the signals and keeps its table.
func (s *Store) SignalPartitionDetach(ctx context.Context, month time.Time) (p model.SignalPartition, err error) {
	if s.heldOff() {
		return p, &model.Error{Kind: model.ErrReadOnly, Entity: "signal"}
	}
	if end := monthOf(month).AddDate(0, 1, 0); end.After(time.Now()) {
		return p, &model.Error{
			Kind: model.ErrInvalid, Entity: "signal", Field: "partition",
			Reason: "the month is not over: signals would go on to come in",
		}
	}
	err = s.withConn(ctx, "SignalPartitionDetach", func(ctx context.Context, conn *pgxpool.Conn) error {
		p, err = PartitionDetach(ctx, conn, month)
		return err
	})
	return p, err
}

// SignalPartitionAttach brings a detached month back.
func (s *Store) SignalPartitionAttach(ctx context.Context, month time.Time) (a model.SignalAttached, err error) {
	if s.heldOff() {
		return a, &model.Error{Kind: model.ErrReadOnly, Entity: "signal"}
	}
	err = s.withConn(ctx, "SignalPartitionAttach", func(ctx context.Context, conn *pgxpool.Conn) error {
		a, err = PartitionAttach(ctx, conn, month)
		return err
	})
	return a, err
}

// SignalPartitionDetachedList returns the detached months in order.
func (s *Store) SignalPartitionDetachedList(ctx context.Context) (all []model.SignalPartition, err error) {
	err = s.withConn(ctx, "SignalPartitionDetachedList", func(ctx context.Context, conn *pgxpool.Conn) error {
		all, err = PartitionDetachedList(ctx, conn)
		return err
	})
	return all, err
}
