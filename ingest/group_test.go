package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// watched is a real store that tells when a single insert begins.
type watched struct {
	model.Store
	began chan struct{}
}

func (w *watched) SignalInsert(ctx context.Context, arg model.SignalInsertParams) (int64, error) {
	w.began <- struct{}{}
	return w.Store.SignalInsert(ctx, arg)
}

// blocked is an Ingest whose one committer, unless the test asks for more, waits in the database for a row that a
// transaction of the test's has inserted and not committed.
type blocked struct {
	*ingest.Ingest
	set     *metrics.Set
	gen     signals
	first   <-chan submitted // what becomes of the signal that is in flight
	leave   context.CancelFunc
	release func()
}

type submitted struct {
	result ingest.Result
	err    error
}

func block(t *testing.T, st model.Store, c ingest.Config) *blocked {
	t.Helper()
	w := &watched{Store: st, began: make(chan struct{}, 100)}
	b := &blocked{set: metrics.NewSet(), gen: newSignals()}
	c.Store, c.Metrics, c.Committers = w, b.set, max(c.Committers, 1)
	b.Ingest = start(t, c)

	row := b.gen.make("a", "b", "in flight")
	held, released, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	errUndo := errors.New("undone")
	go func() {
		defer close(over)
		err := st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
			if _, err := tx.SignalInsert(ctx, row); err != nil {
				return err
			}
			close(held)
			<-released
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			t.Errorf("the transaction that blocks: %v", err)
		}
	}()
	<-held
	b.release = sync.OnceFunc(func() { close(released); <-over })
	t.Cleanup(b.release)
	var ctx context.Context
	ctx, b.leave = context.WithCancel(t.Context())
	t.Cleanup(b.leave)
	b.first = b.submit(ctx, row)
	<-w.began
	return b
}

func (b *blocked) submit(ctx context.Context, row model.SignalInsertParams) <-chan submitted {
	answer := make(chan submitted, 1)
	go func() {
		result, err := b.Submit(ctx, row)
		answer <- submitted{result, err}
	}()
	return answer
}

// submitAll submits so many signals at once and waits until all wait in the queue.
func (b *blocked) submitAll(ctx context.Context, t *testing.T, rows []model.SignalInsertParams) []<-chan submitted {
	t.Helper()
	answers := make([]<-chan submitted, len(rows))
	for n := range rows {
		answers[n] = b.submit(ctx, rows[n])
	}
	testenv.Eventually(t, "all to wait", func() bool { return metric(t, b.set, "hal9_ingest_queue_length") == len(rows) })
	return answers
}

func metric(t *testing.T, set *metrics.Set, name string) int {
	t.Helper()
	var text bytes.Buffer
	set.WritePrometheus(&text)
	for line := range strings.Lines(text.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return int(n)
		}
	}
	t.Fatalf("no metric %s in\n%s", name, text.String())
	return 0
}

func (s signals) many(n int) []model.SignalInsertParams {
	rows := make([]model.SignalInsertParams, n)
	for i := range rows {
		rows[i] = s.make("a", "b", fmt.Sprint("row ", i))
	}
	return rows
}

// What waits while a commit is in flight commits together; a poisonous row, one who
// left while waiting and one who left in flight harm nobody.
func TestSubmitCommitsTogether(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		b := block(t, st, ingest.Config{})
		rows := b.gen.many(100)
		rows[33].ToNeuron = "" // only the database refuses it
		leavers, leave := context.WithCancel(t.Context())
		answers := b.submitAll(t.Context(), t, rows)
		leaver := b.submit(leavers, b.gen.make("a", "b", "leaves"))
		testenv.Eventually(t, "the leaver to wait", func() bool { return metric(t, b.set, "hal9_ingest_queue_length") == 101 })
		leave()
		if s := <-leaver; !errors.Is(s.err, context.Canceled) {
			t.Errorf("who left while waiting: %+v", s)
		}
		b.leave()
		if s := <-b.first; !errors.Is(s.err, context.Canceled) {
			t.Errorf("who left in flight: %+v", s)
		}

		b.release()
		for n, answer := range answers {
			s := <-answer
			if n != 33 && (s.err != nil || s.result != ingest.Stored) {
				t.Errorf("row %d: %+v", n, s)
			}
			if own, ok := errors.AsType[*model.Error](s.err); n == 33 && (!ok || !errors.Is(own, model.ErrInvalid) || own.Field != "to_neuron") {
				t.Errorf("the poisonous row: %+v", s)
			}
		}
		if got := len(listAll(t, st)); got != 100 { // the first one too, since it was in flight
			t.Errorf("%d signals are stored, want 100", got)
		}
		count, sum := metric(t, b.set, "hal9_ingest_batch_size_count"), metric(t, b.set, "hal9_ingest_batch_size_sum")
		if count != 2 || sum != 101 {
			t.Errorf("%d signals in %d batches, want 1 and then 100 together", sum, count)
		}
		if n := metric(t, b.set, "hal9_ingest_commit_duration_seconds_count"); n != 2 {
			t.Errorf("%d commits are timed, want 2", n)
		}
		if s := b.Stats(); s.Accepted != 102 || s.Committed != 100 || s.Failed != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A commit that hangs, as on a connection that broke without a word, holds nobody else
// up for long, and who comes after that neither.
func TestSubmitPassesAStuckCommit(t *testing.T) {
	t.Parallel()
	// SQLite has one writer: nobody passes it.
	st, err := store.Open(t.Context(), store.Config{URL: migrated.PostgresDatabase(t), MaxConnections: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	b := block(t, st, ingest.Config{Committers: 2})
	for n, row := range b.gen.many(3) {
		if r, err := b.Submit(t.Context(), row); r != ingest.Stored || err != nil {
			t.Fatalf("row %d, with another commit stuck: %v, %v", n, r, err)
		}
	}
	select {
	case s := <-b.first:
		t.Fatalf("the stuck one was answered: %+v", s)
	default:
	}
	b.release()
	if s := <-b.first; s.err != nil || s.result != ingest.Stored {
		t.Errorf("the stuck one: %+v", s)
	}
}

func TestSubmitShedsWhenFull(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		b := block(t, st, ingest.Config{MaxQueue: 10, MaxBatch: 4})
		answers := b.submitAll(t.Context(), t, b.gen.many(10))
		if _, err := b.Submit(t.Context(), b.gen.make("a", "b", "too many")); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("the one too many: %v, want ErrUnavailable", err)
		}
		if n := metric(t, b.set, "hal9_ingest_shed_total"); n != 1 {
			t.Errorf("%d are shed, want 1", n)
		}
		b.release()
		for n, answer := range answers {
			if s := <-answer; s.err != nil {
				t.Errorf("row %d: %v", n, s.err)
			}
		}
		if n := metric(t, b.set, "hal9_ingest_batch_size_count"); n != 4 {
			t.Errorf("%d batches, want 1, 4, 4 and 2 signals", n)
		}
		if _, err := b.Submit(t.Context(), b.gen.make("a", "b", "room again")); err != nil {
			t.Errorf("with room again: %v", err)
		}
	})
}

func TestCloseDrainsTheQueue(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		b := block(t, st, ingest.Config{MaxBatch: 7})
		answers := append(b.submitAll(t.Context(), t, b.gen.many(20)), b.first)
		closed := make(chan error, 1)
		go func() { closed <- b.Close(t.Context()) }()
		testenv.Eventually(t, "the door to close", func() bool {
			_, err := b.SubmitMany(t.Context(), nil)
			return errors.Is(err, model.ErrUnavailable)
		})
		select {
		case err := <-closed:
			t.Fatalf("closed with signals under way: %v", err)
		default:
		}
		b.release()
		for n, answer := range answers {
			if s := <-answer; s.err != nil || s.result != ingest.Stored {
				t.Errorf("row %d: %+v", n, s)
			}
		}
		if err := <-closed; err != nil {
			t.Errorf("close: %v", err)
		}
		if got := len(listAll(t, st)); got != 21 {
			t.Errorf("%d signals are stored, want 21", got)
		}
	})
}

// The same submission many times at once has one effect, and the same id with other
// content none, whichever batch each falls into.
func TestSubmitTheSameAtOnce(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing := start(t, ingest.Config{Store: st})
		same := newSignals().make("a", "b", "same")
		other := same
		other.Content = "other"
		if r, err := ing.Submit(t.Context(), same); r != ingest.Stored || err != nil {
			t.Fatalf("the first: %v, %v", r, err)
		}
		var group sync.WaitGroup
		for n := range 100 {
			group.Go(func() {
				row, wanted := same, error(nil)
				if n%10 == 9 {
					row, wanted = other, model.ErrConflict
				}
				if r, err := ing.Submit(t.Context(), row); !errors.Is(err, wanted) || err == nil && r != ingest.Duplicate {
					t.Errorf("submission %d: %v, %v", n, r, err)
				}
			})
		}
		group.Wait()
		if s := ing.Stats(); s.Committed != 1 || s.Duplicates != 90 || s.Failed != 10 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Calls that store the same ids in opposite orders do not lock each other out.
func TestSubmitManyInOppositeOrders(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing, gen := start(t, ingest.Config{Store: st}), newSignals()
		for range 20 {
			rows := gen.many(200)
			opposite := slices.Clone(rows)
			slices.Reverse(opposite)
			var group sync.WaitGroup
			for _, call := range [][]model.SignalInsertParams{rows, opposite} {
				group.Go(func() {
					if r, err := ing.SubmitMany(t.Context(), call); err != nil || r.Inserted+len(r.Duplicates) != len(rows) {
						t.Errorf("%+v, %v", r, err)
					}
				})
			}
			group.Wait()
		}
	})
}

// A row that repeats one that could not be stored is no duplicate of anything.
func TestRepeatedBadRowFailsToo(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing, gen := start(t, ingest.Config{Store: st}), newSignals()
		bad := gen.make("a", "", "refused by the database")
		r, err := ing.SubmitMany(t.Context(), []model.SignalInsertParams{bad, gen.make("a", "b", "good"), bad})
		if err != nil || r.Inserted != 1 || len(r.Duplicates) != 0 || len(r.Failed) != 2 {
			t.Errorf("%+v, %v; want one stored and two failed", r, err)
		}
	})
}

// Without committers each signal is stored by itself.
func TestSubmitWithoutCommitters(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		set := metrics.NewSet()
		ing := start(t, ingest.Config{Store: st, Metrics: set, Committers: -1})
		row := newSignals().make("a", "b", "alone")
		for n, want := range []ingest.Result{ingest.Stored, ingest.Duplicate} {
			if r, err := ing.Submit(t.Context(), row); r != want || err != nil {
				t.Errorf("submission %d: %v, %v", n, r, err)
			}
		}
		if n := metric(t, set, "hal9_ingest_batch_size_count"); n != 0 {
			t.Errorf("%d batches", n)
		}
	})
}
