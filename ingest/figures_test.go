package ingest_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
)

// slow takes its time on a clock of the test's.
type slow struct {
	model.Store
	clock *testenv.Clock
	takes time.Duration
}

func (s *slow) SignalInsert(ctx context.Context, arg model.SignalInsertParams) (int64, error) {
	s.clock.Advance(s.takes)
	return s.Store.SignalInsert(ctx, arg)
}

func (s *slow) SignalInsertMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error) {
	s.clock.Advance(s.takes)
	return s.Store.SignalInsertMany(ctx, signals)
}

func TestFiguresOfTheLastMinute(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		c := testenv.NewClock(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC))
		s := &slow{Store: st, clock: c}
		ing := start(t, ingest.Config{Store: s, Clock: c.Now})
		gen := newSignals()
		check := func(when string, latency time.Duration, perMinute float64) {
			t.Helper()
			if got := ing.Stats(); got.MeanLatency != latency || got.CommittedPerSecond != perMinute/60 {
				t.Errorf("%s: %+v, want a latency of %s and %g in the minute", when, got, latency, perMinute)
			}
		}
		check("at the start", 0, 0)

		s.takes = 10 * time.Millisecond
		one := gen.make("a", "b", "one")
		if _, err := ing.Submit(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		check("after one", 10*time.Millisecond, 1)
		if _, err := ing.Submit(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		check("after a duplicate", 10*time.Millisecond, 1)

		c.Advance(30 * time.Second)
		s.takes = 50 * time.Millisecond
		if _, err := ing.SubmitMany(t.Context(), []model.SignalInsertParams{
			gen.make("a", "b", "two"), one, gen.make("a", "b", "three"), gen.make("a", "b", "four"),
		}); err != nil {
			t.Fatal(err)
		}
		check("after three more", 40*time.Millisecond, 4)
		c.Advance(29 * time.Second)
		check("a minute later", 40*time.Millisecond, 4)
		c.Advance(time.Second)
		check("when the first has left the minute", 50*time.Millisecond, 3)
		c.Advance(30 * time.Second)
		check("when all have", 0, 0)

		s.takes = -time.Hour // the clock is set back
		if _, err := ing.Submit(t.Context(), gen.make("a", "b", "five")); err != nil {
			t.Fatal(err)
		}
		check("after the clock went back", 0, 1)
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		set := metrics.NewSet()
		ing := start(t, ingest.Config{Store: st, Metrics: set})
		gen := newSignals()
		one := gen.make("a", "b", "one")
		odd := gen.make("a", "b", "odd")
		odd.LayerTo = "L5"
		bad := gen.make("a", "b", "bad\x00")
		for _, signal := range []model.SignalInsertParams{one, one, odd} {
			if _, err := ing.Submit(t.Context(), signal); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ing.Submit(t.Context(), bad); err == nil {
			t.Fatal("NUL was stored")
		}

		var text bytes.Buffer
		set.WritePrometheus(&text)
		for _, line := range []string{
			`hal9_signals_sent_total 4`,
			`hal9_signals_processed_total{status="success"} 2`,
			`hal9_signals_processed_total{status="duplicate"} 1`,
			`hal9_signals_processed_total{status="failed"} 1`,
			`hal9_signal_processing_duration_seconds_count{layer="L4"} 1`,
			`hal9_signal_processing_duration_seconds_count{layer="other"} 1`,
			`hal9_signal_processing_duration_seconds_bucket{layer="L4",le="+Inf"} 1`,
		} {
			if !strings.Contains(text.String(), line+"\n") {
				t.Errorf("no line %s in\n%s", line, text.String())
			}
		}
	})
}
