package server_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/store"
)

// clockJumps is how often the clock jumps on each engine.
const clockJumps = 120

// The clock jumps, by up to two days in both directions: whether an access token, an API
// key or an Idempotency-Key is good depends on what time it is and on nothing that was
// remembered before, in the cache or out of it; and what is sent later is listed later.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := migrated.SQLiteDatabase
			if engine == postgresEngine {
				url = migrated.PostgresDatabase
			}
			cached := testenv.NewClock(time.Now())
			st := openStoreAt(t, url(t), func(c *store.Config) {
				c.Cache = &store.Cache{Config: cacheutil.Config{MetricPrefix: "hal9_cache_", Now: cached.Now}}
			})
			testClockJumps(t, newServerOn(t, st), cached)
		})
	}
}

// expiring is something that is good before a moment and not from then on.
type expiring struct {
	name    string
	expires time.Time
	good    func() bool
}

func testClockJumps(t *testing.T, s *harness, cached *testenv.Clock) {
	t.Helper()
	const seed = 9000
	random := rand.New(rand.NewPCG(seed, 0))
	u := s.user("ann", auth.RoleUser)
	start := s.clock.Now()
	profile := func(headers ...string) func() bool {
		return func() bool { return s.ask("GET", "/api/v1/auth/profile", "", headers...).status == 200 }
	}
	var all []expiring
	for i, life := range []time.Duration{time.Hour, 12 * time.Hour, 36 * time.Hour} {
		expires := start.Add(life).UTC().Truncate(time.Second)
		made := data[keyAnswer](s.ask("POST", "/api/v1/auth/api-keys", fmt.Sprintf(`{"name":"k%d","expires_at":%q}`, i, expires.Format(time.RFC3339)),
			bearer(s.login(u).AccessToken)...).want(201))
		all = append(all, expiring{fmt.Sprintf("key of %v", life), expires, profile("X-API-Key", made.Key)})
	}
	login := func() {
		all = append(all, expiring{"access token", s.clock.Now().Truncate(time.Microsecond).Add(15 * time.Minute), profile(bearer(s.login(u).AccessToken)...)})
	}
	login()
	var kept time.Time // when the Idempotency-Key ends
	var sent []string
	checks, wrong := 0, 0
	check := func(what string, got, want bool) {
		t.Helper()
		if checks++; got != want {
			wrong++
			t.Errorf("%v after the start, %s: good is %t (seed %d)", s.clock.Now().Sub(start), what, got, seed)
		}
	}
	for range clockJumps {
		for _, e := range all {
			check(e.name, e.good(), s.clock.Now().Before(e.expires))
		}
		r := s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"x"}`, keyHeader, "jumps").want(201)
		replayed := r.header.Get("Idempotency-Replayed") == "true"
		check("Idempotency-Key", replayed, s.clock.Now().Before(kept))
		if !replayed {
			kept = s.clock.Now().Truncate(time.Microsecond).Add(24 * time.Hour)
		}
		sent = append(sent, data[signal](s.ask("POST", "/api/v1/signals", `{"content":"x","layer_to":"L4"}`).want(201)).ID)
		if random.IntN(10) == 0 {
			login()
		}
		to := start.Add(time.Duration(random.Int64N(int64(48 * time.Hour))))
		if edge := all[random.IntN(len(all))].expires; random.IntN(2) == 0 {
			to = edge.Add(time.Duration(random.IntN(3)-1) * time.Microsecond) // just before, at, and just after an end
		}
		for _, c := range []*testenv.Clock{s.clock, cached} {
			c.Advance(to.Sub(c.Now()))
		}
	}
	listed := walk(s, "/api/v1/signals?", 50, func(x signal) string { return x.ID })
	slices.Reverse(listed)
	misplaced := 0
	for i := range sent {
		if i >= len(listed) || listed[i] != sent[i] {
			misplaced++
		}
	}
	if misplaced > 0 || len(listed) != len(sent) {
		t.Errorf("%d of %d signals are not listed in the order in which they were sent", misplaced, len(sent))
	}
	t.Logf("%d jumps: %d of %d answers by a wrong expiry, %d of %d signals out of order", clockJumps, wrong, checks, misplaced, len(sent))
}
