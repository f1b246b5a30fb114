package copydb_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// TestFollowLosesNothing: writers of all kinds go on until the fence stops them; what
// was acknowledged to them is in the target, and nothing else.
func TestFollowLosesNothing(t *testing.T) {
	t.Parallel()
	for _, engines := range [][2]string{{"sqlite", "postgres"}, {"postgres", "sqlite"}} {
		t.Run(engines[0]+" to "+engines[1], func(t *testing.T) {
			t.Parallel()
			from, to := newDatabase(t, engines[0]), newDatabase(t, engines[1])
			fill(t, from, 300)
			withStore(t, from, func(st model.Store) { follow(t, st, from, to) })
		})
	}
}

func follow(t *testing.T, st model.Store, from, to string) {
	t.Helper()
	w := &writers{st: st}
	// Deadlines of the writers' own: the source must not be blocked for longer than a
	// request may take.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w.start(ctx, t)
	o := copydb.WithChunks(options(from, to), 50, func() error { return w.progress(t) })
	o.Follow = true
	o.Tell = func(s string) { t.Log(s) }
	report, err := copydb.Copy(t.Context(), o)
	stop()
	w.group.Wait()
	must(t, err)
	wantSame(t, report)
	if report.SwitchSeconds == 0 || report.Passes < 2 {
		t.Errorf("the switch took %v s, %d passes", report.SwitchSeconds, report.Passes)
	}
	if w.held.Load() == 0 {
		t.Error("no writer met the fence")
	}
	t.Logf("%d signals were acknowledged meanwhile, the switch took %.3f s", len(w.acknowledged), report.SwitchSeconds)
	withStore(t, to, func(target model.Store) {
		for _, s := range w.acknowledged {
			if _, err := target.SignalGet(t.Context(), model.SignalGetParams{ID: s.ID, Timestamp: s.Timestamp}); err != nil {
				t.Fatalf("the acknowledged signal %s: %v", s.ID, err)
			}
		}
		// The target takes writes, and the source none until it is told to.
		addSignals(t, target, 1)
	})
	if _, err := st.SignalInsert(t.Context(), aSignal(model.NewIDGenerator(time.Now), start)); !errors.Is(err, model.ErrReadOnly) {
		t.Errorf("the source takes writes: %v", err)
	}
	if reason, err := copydb.Fenced(t.Context(), from); err != nil || reason != "the database was moved to "+to {
		t.Errorf("fenced: %q, %v", reason, err)
	}
	must(t, copydb.Lift(t.Context(), from))
	addSignals(t, st, 1)
}

// writers write to the source in all the ways that a server does.
type writers struct {
	st           model.Store
	group        sync.WaitGroup
	rounds       atomic.Int64
	held         atomic.Int64
	acknowledged []model.SignalInsertParams // by one of them, to be read at the end
}

func (w *writers) start(ctx context.Context, t *testing.T) {
	t.Helper()
	ids := model.NewIDGenerator(time.Now)
	n := 0
	w.loop(ctx, t, func() error {
		// Old ids as well: they land in days that were copied long ago.
		n++
		s := aSignal(ids, start.Add(time.Duration(n%50)*13*time.Hour+time.Duration(n)*time.Millisecond))
		if _, err := w.st.SignalInsert(ctx, s); err != nil {
			return err
		}
		w.acknowledged = append(w.acknowledged, s)
		return nil
	})
	w.loop(ctx, t, w.accounts(ctx))
	w.loop(ctx, t, w.memories(ctx))
}

// accounts makes and deletes users with what hangs on them, and lets two exchange
// their names, which no order of single updates brings over.
func (w *writers) accounts(ctx context.Context) func() error {
	pair := [2]uuid.UUID{}
	n := 0
	return func() error {
		n++
		return w.st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
			name := func(i int) string { return fmt.Sprintf("pair-%d", i) }
			if pair[0] == (uuid.UUID{}) {
				made := [2]uuid.UUID{uuid.New(), uuid.New()}
				for i, id := range made {
					if err := addUser(ctx, tx, id, name(i)); err != nil {
						return err
					}
				}
				pair = made
			}
			for _, change := range []struct {
				id uuid.UUID
				to string
			}{{pair[1], "aside"}, {pair[0], name(n % 2)}, {pair[1], name(1 - n%2)}} {
				if _, err := tx.UserUpdateProfile(ctx, model.UserUpdateProfileParams{ID: change.id, Username: change.to, UpdatedAt: start}); err != nil {
					return err
				}
			}
			gone := uuid.New()
			if err := addUser(ctx, tx, gone, fmt.Sprintf("gone-%d", n)); err != nil {
				return err
			}
			if n%2 == 0 {
				if _, err := tx.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: gone}); err != nil {
					return err
				}
				_, err := tx.UserDelete(ctx, model.UserDeleteParams{ID: gone})
				return err
			}
			return nil
		})
	}
}

func addUser(ctx context.Context, tx model.Tx, id uuid.UUID, name string) error {
	if _, err := tx.UserInsert(ctx, model.UserInsertParams{ID: id, Username: name, PasswordHash: "x", Role: "user", IsActive: true, CreatedAt: start, UpdatedAt: start}); err != nil {
		return err
	}
	session := uuid.New()
	if _, err := tx.SessionInsert(ctx, model.SessionInsertParams{ID: session, UserID: id, TokenHash: "s" + session.String(), ExpiresAt: start, CreatedAt: start}); err != nil {
		return err
	}
	return tx.RefreshTokenInsert(ctx, model.RefreshTokenInsertParams{ID: uuid.New(), SessionID: session, TokenHash: "r" + session.String(), ExpiresAt: start, CreatedAt: start})
}

func (w *writers) memories(ctx context.Context) func() error {
	n := 0
	var made []uuid.UUID
	return func() error {
		n++
		id := uuid.New()
		made = append(made, id)
		if _, err := w.st.MemoryInsert(ctx, model.MemoryInsertParams{ID: id, NeuronID: "neuron-l2", Content: "first words", Context: model.JSON("{}"), Metadata: model.JSON("{}"), CreatedAt: start}); err != nil {
			return err
		}
		if n%3 == 0 {
			// One that an earlier pass has seen.
			_, err := w.st.MemoryDelete(ctx, model.MemoryDeleteParams{ID: made[n/3]})
			return err
		}
		if _, err := w.st.NeuronSetState(ctx, model.NeuronSetStateParams{ID: "neuron-l2", State: strconv.Itoa(n), Condition: "running", UpdatedAt: start}); err != nil {
			return err
		}
		_, err := w.st.NeuronActivityAdd(ctx, model.NeuronActivityAddParams{SignalsAdded: 1, LastSignalAt: &start, NeuronID: "neuron-l2"})
		return err
	}
}

// loop writes until the fence refuses it or ctx ends.
func (w *writers) loop(ctx context.Context, t *testing.T, write func() error) {
	t.Helper()
	w.group.Go(func() {
		const pace = 3 * time.Millisecond // or the writers take the machine for themselves
		for tick := time.NewTicker(pace); ctx.Err() == nil; <-tick.C {
			err := write()
			if errors.Is(err, model.ErrReadOnly) {
				w.held.Add(1)
				return
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			w.rounds.Add(1)
		}
	})
}

// progress waits until the writers did something more.
func (w *writers) progress(t *testing.T) error {
	t.Helper()
	wanted := w.rounds.Load() + 3
	ended := func() bool { return t.Failed() || w.held.Load() > 0 }
	testenv.Eventually(t, "three more rounds of the writers", func() bool { return w.rounds.Load() >= wanted || ended() })
	if ended() {
		return errors.New("the writers ended early")
	}
	return nil
}

// TestFailedMoveLeavesTheFence: a move that fails at its last step lifts its own fence, and
// puts back one that stood around the source before: that of an earlier move.
func TestFailedMoveLeavesTheFence(t *testing.T) {
	t.Parallel()
	for _, engines := range [][2]string{{"sqlite", "postgres"}, {"postgres", "sqlite"}} {
		for _, before := range []string{"", "the database was moved to elsewhere, it's gone"} {
			t.Run(engines[0]+" to "+engines[1]+" with "+before, func(t *testing.T) {
				t.Parallel()
				from, to := newDatabase(t, engines[0]), newDatabase(t, engines[1])
				if before != "" {
					must(t, copydb.Fence(t.Context(), from, before))
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				o := options(from, to)
				o.Follow = true
				o.Tell = func(s string) {
					if s == "the source takes no writes any more" {
						cancel()
					}
				}
				if _, err := copydb.Copy(ctx, o); !errors.Is(err, context.Canceled) {
					t.Fatalf("the move: %v", err)
				}
				if reason, err := copydb.Fenced(t.Context(), from); err != nil || reason != before {
					t.Errorf("fenced: %q, %v", reason, err)
				}
			})
		}
	}
}
