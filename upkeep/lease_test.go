package upkeep_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/upkeep"
)

// Of two servers that start a run together, each on connections of its own, one acts.
func TestOneOfTwoServersActs(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		c := newClock()
		first := open()
		audit(t, first, repeated(c.Now().Add(-2*day), 100)...)
		acted, total := together(t, c, c, first, open())
		if acted != 1 || total != 100 {
			t.Errorf("%d servers acted and deleted %d rows, want 1 and 100", acted, total)
		}
	})
}

// Clocks that differ let both act. Nothing breaks: each row is deleted, and counted, once.
func TestTwoAtOnceDeleteEachRowOnce(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		c, fast := newClock(), newClock()
		fast.Advance(day)
		first := open()
		audit(t, first, repeated(c.Now().Add(-9*day), 300)...)
		_, total := together(t, c, fast, first, open())
		if left := auditLeft(t, first); total != 300 || len(left) != 0 {
			t.Errorf("%d rows were deleted and %d are left, want 300 and 0", total, len(left))
		}
	})
}

// together runs two keepers at once, and returns how many acted and what they deleted.
func together(t *testing.T, c1, c2 *testenv.Clock, st1, st2 model.Store) (acted int, total int64) {
	t.Helper()
	keepers := []*upkeep.Keeper{
		newKeeper(t, upkeep.Config{Store: st1, Holder: "a", Clock: c1.Now, AuditRetention: day, Chunk: 7}),
		newKeeper(t, upkeep.Config{Store: st2, Holder: "b", Clock: c2.Now, AuditRetention: day, Chunk: 7}),
	}
	var wg sync.WaitGroup
	outcomes := make([]map[string]int64, len(keepers))
	for i, k := range keepers {
		wg.Go(func() {
			done, err := k.RunOnce(t.Context())
			if err != nil {
				t.Errorf("run: %v", err)
			}
			outcomes[i] = deletedBy(done)
		})
	}
	wg.Wait()
	for _, o := range outcomes {
		if len(o) > 0 {
			acted++
		}
		total += o["audit_log"]
	}
	return acted, total
}

func TestDeadServerIsReplaced(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		c := newClock()
		cfg := upkeep.Config{Clock: c.Now, AuditRetention: day, Interval: time.Minute, LeaseTTL: 3 * time.Minute}
		cfg.Store, cfg.Holder = open(), "dies"
		dies := newKeeper(t, cfg)
		cfg.Store, cfg.Holder = open(), "lives"
		lives := newKeeper(t, cfg)
		acts := func(k *upkeep.Keeper) bool { t.Helper(); return len(runOnce(t, k)) > 0 }
		if !acts(dies) || acts(lives) {
			t.Fatal("the first server has no lease")
		}
		c.Advance(2 * time.Minute)
		if !acts(dies) || acts(lives) {
			t.Fatal("the lease is not renewed")
		}
		c.Advance(3*time.Minute - time.Microsecond) // no sign of life since
		if acts(lives) {
			t.Fatal("taken over before its time")
		}
		c.Advance(time.Microsecond)
		if !acts(lives) || acts(dies) {
			t.Fatal("not taken over")
		}
	})
}

// A run that takes longer than the lease lasts keeps it; one whose lease is gone ends.
func TestLongRunRenewsItsLease(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		st, set := open(), metrics.NewSet()
		const rows = 2000
		audit(t, st, repeated(time.Now().Add(-2*day), rows)...)
		k := newKeeper(t, upkeep.Config{
			Store: st, Holder: "a", AuditRetention: day, Chunk: 1, Metrics: set, Interval: 20 * time.Millisecond, LeaseTTL: 100 * time.Millisecond,
		})
		type result struct {
			acted []upkeep.Outcome
			err   error
		}
		done := make(chan result, 1)
		go func() {
			acted, err := k.RunOnce(t.Context())
			done <- result{acted, err}
		}()
		lease := func() model.UpkeepLease {
			l, err := st.UpkeepLeaseGet(t.Context(), model.UpkeepLeaseGetParams{Name: "upkeep"})
			if err != nil {
				return model.UpkeepLease{}
			}
			return l
		}
		var first time.Time
		testenv.Eventually(t, "the lease", func() bool { first = lease().RenewedAt; return !first.IsZero() })
		testenv.Eventually(t, "a renewal", func() bool { return lease().RenewedAt.After(first) })

		later := time.Now().Add(time.Hour)
		n, err := st.UpkeepLeaseAcquire(t.Context(), model.UpkeepLeaseAcquireParams{Name: "upkeep", Holder: "thief", RenewedAt: later, ExpiresAt: later.Add(time.Hour)})
		if err != nil || n != 1 {
			t.Fatalf("the lease cannot be taken: %d, %v", n, err)
		}
		r := <-done
		if r.err == nil || !strings.Contains(r.err.Error(), "another server has taken the upkeep over") {
			t.Errorf("the run ended with %v", r.err)
		}
		left := len(auditLeft(t, st))
		// The chunk that was under way may be committed, and nobody learns of it.
		if uncounted := int64(rows-left) - deletedBy(r.acted)["audit_log"]; left == 0 || uncounted < 0 || uncounted > 1 {
			t.Errorf("%d rows are left, %v were counted", left, deletedBy(r.acted))
		}
		if lease().Holder != "thief" {
			t.Error("the lease was taken back")
		}
	})
}

// At shutdown a run ends midway and the lease is given back: the next server need not
// wait for its end.
func TestRunEndsAtShutdown(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		st, set := open(), metrics.NewSet()
		const rows = 2000
		audit(t, st, repeated(time.Now().Add(-2*day), rows)...)
		k := newKeeper(t, upkeep.Config{Store: st, Holder: "a", AuditRetention: day, Chunk: 1, Metrics: set})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.Run(ctx) }()
		testenv.Eventually(t, "the first deletions", func() bool { return len(auditLeft(t, st)) < rows })
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if left := len(auditLeft(t, st)); left == 0 {
			t.Error("it went on to the end")
		}
		if _, err := st.UpkeepLeaseGet(t.Context(), model.UpkeepLeaseGetParams{Name: "upkeep"}); !errors.Is(err, model.ErrNotFound) {
			t.Errorf("the lease is still held: %v", err)
		}
		if !strings.Contains(exposition(set), "hal9_upkeep_leader 0\n") {
			t.Error("it still counts as the leader")
		}
	})
}
