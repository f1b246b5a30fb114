package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/bench/benchdb"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// subject is a database that grows.
type subject struct {
	ctx     context.Context //nolint:containedctx // of the one run
	address string
	store   model.Store
	drop    func() error
	ids     *model.IDGenerator

	signals, months, neurons int
	some                     []uuid.UUID // ids of stored signals, spread over all
	newest                   []uuid.UUID // ids of the newest of them, which are of this month
}

// newSubject makes a migrated database with nothing in it.
func newSubject(ctx context.Context, server, name string) (*subject, error) {
	s := &subject{ctx: ctx, ids: model.NewIDGenerator(time.Now), drop: func() error { return nil }}
	address := server + "-" + name
	if strings.HasPrefix(server, "postgres") {
		var err error
		if address, s.drop, err = benchdb.New(ctx, server, "growth_"+name); err != nil {
			return nil, err
		}
	}
	st, err := store.Open(ctx, store.Config{URL: address, Migrate: true, MaxConnections: 4, StatementTimeout: 10 * time.Minute})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), s.drop())
	}
	s.store, s.address = st, address
	return s, nil
}

func (s *subject) close() error {
	if err := s.store.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return s.drop()
}

const chunk = 10_000

// growSignals stores signals of the last hour, to and from 1,000 neurons.
func (s *subject) growSignals(n int) error {
	for s.signals < n {
		if err := s.storeSignals(time.Now().Add(-time.Hour), min(chunk, n-s.signals)); err != nil {
			return err
		}
	}
	return nil
}

// growPartitions makes months, going back from this one, with 1,000 signals each.
func (s *subject) growPartitions(n int) error {
	for ; s.months < n; s.months++ {
		now := time.Now().UTC()
		month := time.Date(now.Year(), now.Month()-time.Month(s.months), 1, 0, 0, 0, 0, time.UTC)
		if _, err := s.store.SignalPartitionEnsure(s.ctx, month); err != nil {
			return fmt.Errorf("make a month: %w", err)
		}
		if err := s.storeSignals(month, 1000); err != nil {
			return err
		}
	}
	return nil
}

// storeSignals stores signals whose times are a millisecond apart.
func (s *subject) storeSignals(from time.Time, n int) error {
	rows := make([]model.SignalInsertParams, n)
	for i := range rows {
		rows[i] = s.signal(from.Add(time.Duration(s.signals+i) * time.Millisecond % time.Hour))
		if (s.signals+i)%97 == 0 {
			s.some = append(s.some, rows[i].ID)
		}
	}
	result, err := s.store.SignalInsertMany(s.ctx, rows)
	if err != nil {
		return fmt.Errorf("store signals: %w", err)
	}
	if result.Inserted != n {
		return fmt.Errorf("stored %d of %d signals", result.Inserted, n)
	}
	if s.months == 0 { // the first is this one
		s.newest = s.newest[:0]
		for _, row := range rows[max(0, n-1000):] {
			s.newest = append(s.newest, row.ID)
		}
	}
	s.signals += n
	return nil
}

func (s *subject) signal(at time.Time) model.SignalInsertParams {
	id := s.ids.NewAt(at)
	moment, _ := model.IDTime(id)
	n := int(id[15]) + int(id[14]&3)<<8
	return model.SignalInsertParams{
		ID: id, FromNeuron: "api-client", ToNeuron: "neuron-" + strconv.Itoa(n), LayerFrom: "API", LayerTo: "L3",
		PropagationType: "forward", Content: "Plan the deployment of the new service and tell the others about it.",
		Metadata: model.JSON(`{"priority":3}`), Timestamp: moment,
	}
}

// growNeurons stores neurons, many in a transaction.
func (s *subject) growNeurons(n int) error {
	for s.neurons < n {
		err := s.store.InTx(s.ctx, func(ctx context.Context, tx model.Tx) error {
			for range min(1000, n-s.neurons) {
				if _, err := tx.NeuronInsert(ctx, model.NeuronInsertParams{
					ID: "grown-" + strconv.Itoa(s.neurons), Layer: "L3", SystemPrompt: "Do what the signals say.",
					Settings: model.JSON(`{}`), State: "idle", Condition: "running", CreatedAt: time.Now(),
				}); err != nil {
					return err
				}
				s.neurons++
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("store neurons: %w", err)
		}
	}
	return nil
}

// settle does what autovacuum would have done by and by, so that no size is measured in
// the middle of it.
func (s *subject) settle() error { return s.exec("VACUUM ANALYZE") }

// checkpoint has the server write what filling left to be written.
func (s *subject) checkpoint() error { return s.exec("CHECKPOINT") }

// exec runs a statement that PostgreSQL alone needs.
func (s *subject) exec(statement string) error {
	if s.store.Engine() != "postgres" {
		return nil
	}
	conn, err := pgx.Connect(s.ctx, s.address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(s.ctx, statement)
	return errors.Join(err, conn.Close(s.ctx))
}
