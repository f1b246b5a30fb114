package storetest

import (
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

func testMetrics(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	for i := range 5 {
		ok(t, b.MetricInsert(ctx, model.MetricInsertParams{
			ID: b.id(), MetricName: "latency", NeuronID: new("n"), Value: float64(i) + 0.25,
			Labels: model.JSON(`{"p":"99"}`), Timestamp: b.now.Add(time.Duration(i) * time.Minute),
		}))
	}
	l := must[[]model.MetricsAggregate](t)
	got := l(b.MetricList(ctx, model.MetricListParams{MetricName: "latency", Since: b.now.Add(time.Minute), Until: b.now.Add(3 * time.Minute), PageLimit: 10}))
	equal(t, "values", len(got), 2)
	equal(t, "the oldest first", got[0].Value, 1.25)
	equal(t, "removed", must[int64](t)(b.MetricDeleteOld(ctx, model.MetricDeleteOldParams{OlderThan: b.now.Add(4 * time.Minute), PageLimit: 3})), 3)
	equal(t, "left", len(l(b.MetricList(ctx, model.MetricListParams{MetricName: "latency", Since: b.now, Until: model.MaxTime(), PageLimit: 10}))), 2)
}

func testAudit(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	user := b.id()
	for i := range 6 {
		p := model.AuditInsertParams{
			ID: b.id(), Action: "user.role", ResourceType: "user", Details: model.JSON(`{"to":"admin"}`),
			CreatedAt: b.now.Add(time.Duration(i/2) * time.Second),
		}
		if i%2 == 0 {
			p.UserID = &user
		}
		ok(t, b.AuditInsert(ctx, p))
	}
	arg := model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 4}
	l := must[[]model.AuditLog](t)
	page := l(b.AuditList(ctx, arg))
	equal(t, "first page", len(page), 4)
	arg.CursorCreatedAt, arg.CursorID = page[3].CreatedAt, page[3].ID
	equal(t, "second page", len(l(b.AuditList(ctx, arg))), 2)
	arg = model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), UserID: &user, PageLimit: 10}
	equal(t, "of one user", len(l(b.AuditList(ctx, arg))), 3)
	equal(t, "removed", must[int64](t)(b.AuditDeleteOld(ctx, model.AuditDeleteOldParams{OlderThan: b.now.Add(time.Second), PageLimit: 10})), 2)
}

func testDatabaseEpoch(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	before := must[int64](t)(b.DatabaseEpochGet(ctx))
	bump := func(at time.Time) int64 {
		return must[int64](t)(b.DatabaseEpochBump(ctx, model.DatabaseEpochBumpParams{UpdatedAt: at}))
	}
	equal(t, "of an old clock", bump(time.Unix(0, 0)), before+1)
	late := time.Unix(1_000_000_000, 999_999_000)
	equal(t, "bumped", bump(late), 1_000_000_000)
	equal(t, "by a clock that was set back", bump(late.Add(-time.Hour)), 1_000_000_001)
	equal(t, "stays", must[int64](t)(b.DatabaseEpochGet(ctx)), 1_000_000_001)
}

func testUpkeepLease(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	at := b.now
	acquire := func(holder string, now time.Time) int64 {
		return must[int64](t)(b.UpkeepLeaseAcquire(ctx, model.UpkeepLeaseAcquireParams{
			Name: "upkeep", Holder: holder, RenewedAt: now, ExpiresAt: now.Add(time.Minute),
		}))
	}
	equal(t, "taken", acquire("a", at), 1)
	equal(t, "another's", acquire("b", at.Add(59*time.Second)), 0)
	equal(t, "renewed", acquire("a", at.Add(30*time.Second)), 1)
	equal(t, "renewed, so not expired", acquire("b", at.Add(time.Minute)), 0)
	equal(t, "expired", acquire("b", at.Add(90*time.Second)), 1)
	lease := must[model.UpkeepLease](t)(b.UpkeepLeaseGet(ctx, model.UpkeepLeaseGetParams{Name: "upkeep"}))
	equal(t, "holder", lease.Holder, "b")
	release := func(holder string) int64 {
		return must[int64](t)(b.UpkeepLeaseRelease(ctx, model.UpkeepLeaseReleaseParams{Name: "upkeep", Holder: holder}))
	}
	equal(t, "given back by who lost it", release("a"), 0)
	equal(t, "given back", release("b"), 1)
	equal(t, "free", acquire("a", at), 1)
}
