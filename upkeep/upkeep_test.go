package upkeep_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/upkeep"
)

const day = 24 * time.Hour

// Retentions of the test, and rows on both sides of each.
func TestDeletesWhatOutlivedItsTimeAndNothingElse(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		st, c, set := open(), newClock(), metrics.NewSet()
		now := c.Now()
		live := sessions(t, st, now)
		audit(t, st, repeated(now.Add(-30*day-time.Microsecond), 5)...)
		audit(t, st, now.Add(-30*day), now.Add(-29*day), now)
		for _, at := range append(repeated(now.Add(-10*day-time.Microsecond), 4), now.Add(-10*day), now) {
			ok(t, st.MetricInsert(t.Context(), model.MetricInsertParams{ID: uuid.New(), MetricName: "m", Labels: model.EmptyObject(), Timestamp: at}))
		}
		for i, at := range []time.Time{now.Add(-time.Second), now.Add(-time.Hour), now.Add(-day), now, now.Add(time.Hour)} {
			_, err := st.IdempotencyKeyClaim(t.Context(), model.IdempotencyKeyClaimParams{
				ID: strconv.Itoa(i), Fingerprint: "f", Holder: uuid.New(), CreatedAt: at.Add(-day), LockedUntil: at, ExpiresAt: at,
			})
			ok(t, err)
		}
		month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		// A month that ended less than 90 days ago, and one that ended before.
		young, old := now.Add(-90*day), month.AddDate(0, -6, 0)
		for _, at := range append(repeated(old, 3), young, now) {
			signal(t, st, at)
		}

		k := newKeeper(t, upkeep.Config{
			Store: st, Holder: "a", Clock: c.Now, Metrics: set, Chunk: 2, PartitionsAhead: 4,
			AuditRetention: 30 * day, MetricsRetention: 10 * day, SignalsRetention: 90 * day,
		})
		want := map[string]int64{"refresh_tokens": 5, "sessions": 3, "idempotency_keys": 3, "audit_log": 5, "metrics_aggregate": 4, "signals": 3}
		if st.Engine() == "postgres" {
			want["partitions"] = 0
		}
		got := runOnce(t, k)
		if !maps.Equal(got, want) {
			t.Errorf("deleted %v, want %v", got, want)
		}
		if left := auditLeft(t, st); len(left) != 3 {
			t.Errorf("%d entries of the audit log are left, not 3", len(left))
		}
		kept, err := st.MetricList(t.Context(), model.MetricListParams{MetricName: "m", Since: now.Add(-99 * day), Until: model.MaxTime(), PageLimit: 100})
		ok(t, err)
		if len(kept) != 2 {
			t.Errorf("%d metrics are left, not 2", len(kept))
		}
		signals, err := st.SignalList(t.Context(), model.SignalListParams{
			Since: now.Add(-999 * day), Until: now.Add(day), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 100,
		})
		ok(t, err)
		if len(signals) != 2 || !signals[1].Timestamp.Equal(young) {
			t.Errorf("these signals are left: %v", signals)
		}
		for _, hash := range live {
			if _, err := st.SessionGetByTokenHash(t.Context(), model.SessionGetByTokenHashParams{TokenHash: hash}); err != nil {
				t.Errorf("session %s: %v", hash, err)
			}
		}
		for task, n := range runOnce(t, k) {
			if n != 0 {
				t.Errorf("the second run deleted %d of %s", n, task)
			}
		}
		for _, line := range []string{
			"hal9_upkeep_leader 1",
			`hal9_upkeep_runs_total{task="audit_log"} 2`, `hal9_upkeep_deleted_total{task="audit_log"} 5`,
			`hal9_upkeep_failures_total{task="audit_log"} 0`,
			fmt.Sprintf(`hal9_upkeep_last_success_timestamp_seconds{task="signals"} %d`, now.Unix()),
		} {
			if !strings.Contains(exposition(set), line+"\n") {
				t.Errorf("no %s in\n%s", line, exposition(set))
			}
		}
	})
}

// sessions makes three dead sessions and two that live, one of them by its refresh
// token alone. It returns the hashes of those.
func sessions(t *testing.T, st model.Store, now time.Time) []string {
	t.Helper()
	user, err := st.UserInsert(t.Context(), model.UserInsertParams{ID: uuid.New(), Username: "u", PasswordHash: "h", Role: "user", CreatedAt: now, UpdatedAt: now})
	ok(t, err)
	past, future := now.Add(-time.Second), now.Add(time.Hour)
	for name, s := range map[string]struct {
		access  time.Time
		refresh []time.Time
	}{
		"dead1": {past, nil}, "dead2": {past, []time.Time{past}}, "dead3": {past, []time.Time{past, past}},
		"live by refresh": {past, []time.Time{past, future}}, "live": {future, []time.Time{past}},
	} {
		session, err := st.SessionInsert(t.Context(), model.SessionInsertParams{ID: uuid.New(), UserID: user.ID, TokenHash: name, ExpiresAt: s.access, CreatedAt: past})
		ok(t, err)
		for _, at := range s.refresh {
			ok(t, st.RefreshTokenInsert(t.Context(), model.RefreshTokenInsertParams{ID: uuid.New(), SessionID: session.ID, TokenHash: uuid.NewString(), ExpiresAt: at, CreatedAt: past}))
		}
	}
	return []string{"live", "live by refresh"}
}

func signal(t *testing.T, st model.Store, at time.Time) {
	t.Helper()
	n, err := st.SignalInsert(t.Context(), model.SignalInsertParams{
		ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
		Content: "c", Metadata: model.EmptyObject(), Timestamp: at,
	})
	if err != nil || n != 1 {
		t.Fatalf("insert: %d, %v", n, err)
	}
}

func TestKeepsForEverWithoutRetention(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		st, c := open(), newClock()
		audit(t, st, c.Now().Add(-9999*day))
		signal(t, st, c.Now().Add(-9999*day))
		deleted := runOnce(t, newKeeper(t, upkeep.Config{Store: st, Holder: "a", Clock: c.Now}))
		for _, task := range []string{"audit_log", "metrics_aggregate", "signals"} {
			if _, ran := deleted[task]; ran {
				t.Errorf("%s ran", task)
			}
		}
		if len(auditLeft(t, st)) != 1 {
			t.Error("the entry is gone")
		}
	})
}

// What the server did before: the coming months' partitions are there.
func TestMakesPartitions(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		st, c := open(), newClock()
		runOnce(t, newKeeper(t, upkeep.Config{Store: st, Holder: "a", Clock: c.Now, PartitionsAhead: 7}))
		all, err := st.SignalPartitionList(t.Context())
		ok(t, err)
		names := map[string]bool{}
		for _, p := range all {
			names[p.Name] = true
		}
		first := time.Date(c.Now().Year(), c.Now().Month(), 1, 0, 0, 0, 0, time.UTC)
		for n := range 8 {
			name := first.AddDate(0, n, 0).Format("signals_y2006m01")
			if names[name] != (st.Engine() == "postgres") {
				t.Errorf("%s: %v", name, names[name])
			}
		}
	})
}

func TestRefusesBadSettings(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, open func() model.Store) {
		st := open()
		for want, cfg := range map[string]upkeep.Config{
			"Config.Store":      {Holder: "a"},
			"Config.Holder":     {Store: st},
			"upkeep.interval":   {Store: st, Holder: "a", Interval: time.Hour, LeaseTTL: time.Hour},
			"audit.retention":   {Store: st, Holder: "a", AuditRetention: -1},
			"signals.retention": {Store: st, Holder: "a", SignalsRetention: -1},
		} {
			if _, err := upkeep.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
	})
}
