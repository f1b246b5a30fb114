package ingest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
)

// watchedDeadline leaves its deadline to those who wait: its own Done says nothing.
type watchedDeadline struct {
	context.Context //nolint:containedctx // what is below it

	at time.Time
}

func (w watchedDeadline) Deadline() (time.Time, bool) { return w.at, true }
func (w watchedDeadline) Done() <-chan struct{}       { return nil }
func (w watchedDeadline) Untimed() context.Context    { return w.Context }

func (w watchedDeadline) Err() error {
	if !time.Now().Before(w.at) {
		return context.DeadlineExceeded
	}
	return w.Context.Err()
}

// Whoever brings a deadline without a timer is let go at its time, and before that when
// what is below it ends; a signal that waited till then is not stored, and those that come
// after get answers of their own.
func TestDeadlineWithoutATimer(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		b := block(t, st, ingest.Config{})
		late := b.submit(watchedDeadline{t.Context(), time.Now().Add(time.Millisecond)}, b.gen.make("a", "b", "late"))
		if s := <-late; !errors.Is(s.err, context.DeadlineExceeded) {
			t.Errorf("the late one: %v", s.err)
		}
		below, leave := context.WithCancel(t.Context())
		leaver := b.submit(watchedDeadline{below, time.Now().Add(time.Hour)}, b.gen.make("a", "b", "leaves"))
		testenv.Eventually(t, "the leaver to wait", func() bool { return metric(t, b.set, "hal9_ingest_queue_length") == 2 })
		leave()
		if s := <-leaver; !errors.Is(s.err, context.Canceled) {
			t.Errorf("the leaver: %v", s.err)
		}
		b.release()
		if s := <-b.first; s.err != nil {
			t.Errorf("the first: %v", s.err)
		}
		for range 3 { // with what those before left behind
			stays := watchedDeadline{t.Context(), time.Now().Add(time.Hour)}
			if r, err := b.Submit(stays, b.gen.make("a", "b", "stays")); r != ingest.Stored || err != nil {
				t.Errorf("one that stays: %v, %v", r, err)
			}
		}
		if got := len(listAll(t, st)); got != 4 {
			t.Errorf("%d signals are stored, want 4", got)
		}
	})
}
