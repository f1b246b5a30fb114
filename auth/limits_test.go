package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// limited demands *LimitedError and returns when to come back.
func limited(t *testing.T, err error) time.Duration {
	t.Helper()
	l, is := errors.AsType[*auth.LimitedError](err)
	if !is {
		t.Fatalf("got %v, want *LimitedError", err)
	}
	if l.RetryAfter <= 0 {
		t.Fatalf("RetryAfter is %v", l.RetryAfter)
	}
	return l.RetryAfter
}

func threeFailures(c *auth.Config) {
	c.FailuresPerAccount, c.FailuresPerAddress, c.FailureWindow = 3, 5, 15*time.Minute
}

func TestFailuresPerAccount(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		from := func(i int) auth.Client { return auth.Client{IP: fmt.Sprintf("198.51.100.%d", i)} }
		for _, name := range []string{"ann", "nobody"} { // the limit tells nobody who exists
			b.clock.Advance(time.Hour)
			for i := range 3 {
				is(t, b.tryLogin(name, "wrong password", from(i)), auth.ErrBadCredentials)
			}
			before, _ := b.hashes()
			equal(t, name, limited(t, b.tryLogin(name, password, from(3))), 5*time.Minute)
			after, _ := b.hashes()
			equal(t, "hashes for a limited attempt", after-before, 0)
			equal(t, "refused attempts do not count", limited(t, b.tryLogin(name, password, from(4))), 5*time.Minute)
			b.clock.Advance(5 * time.Minute)
			is(t, b.tryLogin(name, "wrong password", from(5)), auth.ErrBadCredentials)
			limited(t, b.tryLogin(name, "wrong password", from(6)))
		}
		equal(t, "limited attempts counted", b.counter(`hal9_auth_attempts_total{status="limited"}`), 6)
		equal(t, "hits counted", b.counter(`hal9_rate_limit_hits_total{limit="account"}`), 6)
		equal(t, "failures counted", b.counter(`hal9_auth_attempts_total{status="failure"}`), 8)

		// A success clears the account's failures, and does not count itself.
		b.clock.Advance(time.Hour)
		for i := range 5 {
			is(t, b.tryLogin("ann", "wrong password", from(10+i)), auth.ErrBadCredentials)
			is(t, b.tryLogin("ann", "wrong password", from(10+i)), auth.ErrBadCredentials)
			ok(t, b.tryLogin("ann", password, from(10+i)))
		}
		for range 20 {
			ok(t, b.tryLogin("ann", password, home()))
		}
	}, threeFailures)
}

func TestFailuresPerAddress(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, threeFailures)
	b.register("ann")
	for i := range 5 { // one network of IPv6 counts as one address
		c := auth.Client{IP: fmt.Sprintf("2001:db8:1:2::%d", i)}
		is(t, b.tryLogin(fmt.Sprintf("user%d", i), "wrong password", c), auth.ErrBadCredentials)
	}
	limited(t, b.tryLogin("ann", password, auth.Client{IP: "2001:db8:1:2:ffff::1"}))
	ok(t, b.tryLogin("ann", password, auth.Client{IP: "2001:db8:1:3::1"}))
	equal(t, "hits counted", b.counter(`hal9_rate_limit_hits_total{limit="address"}`), 1)
	b.clock.Advance(3 * time.Minute)
	ok(t, b.tryLogin("ann", password, auth.Client{IP: "2001:db8:1:2:ffff::1"}))
}

// Somebody who guesses at an account without end does not shut its owner out.
func TestOwnerIsNotLockedOut(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		ok(t, b.tryLogin("ann", password, home()))
		attack := func(b *bench) {
			t.Helper()
			for range 3 {
				is(t, b.tryLogin("ann", "wrong password", abroad()), auth.ErrBadCredentials)
			}
			limited(t, b.tryLogin("ann", "wrong password", abroad()))
		}
		attack(b)
		ok(t, b.tryLogin("ann", password, home()))
		// The owner's success does not give the guesser new attempts.
		limited(t, b.tryLogin("ann", "wrong password", abroad()))

		// A server that was started since knows the address by the session.
		later := newBench(t, b.url, threeFailures)
		attack(later)
		ok(t, later.tryLogin("ann", password, home()))
		limited(t, later.tryLogin("ann", password, auth.Client{IP: "203.0.113.1"}))

		// Guesses from the owner's own address are limited as well.
		for range 3 {
			is(t, later.tryLogin("ann", "wrong password", home()), auth.ErrBadCredentials)
		}
		limited(t, later.tryLogin("ann", password, home()))
	}, threeFailures)
}

// An account whose name differs by case only is another one: its owner's logins do not
// give attempts on this one.
func TestLimitsTellAccountsApart(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, func(c *auth.Config) { c.FailuresPerAccount, c.FailuresPerAddress = 3, 1000 })
	b.register("Ann")
	b.register("ann")
	for range 3 {
		is(t, b.tryLogin("Ann", "wrong password", abroad()), auth.ErrBadCredentials)
		ok(t, b.tryLogin("ann", password, abroad()))
	}
	limited(t, b.tryLogin("Ann", "wrong password", abroad()))
}

// A thousand guesses at once are as many as one after the other.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, func(c *auth.Config) { threeFailures(c); c.HashConcurrency = 8 })
	b.register("ann")
	failed := 0
	for _, err := range together(100, func(int) error { return b.tryLogin("ann", "wrong password", abroad()) }) {
		if errors.Is(err, auth.ErrBadCredentials) {
			failed++
		} else {
			limited(t, err)
		}
	}
	equal(t, "guesses looked at", failed, 3)
}

// A stolen session is no way to guess the password.
func TestPasswordChangeIsLimited(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, threeFailures)
	b.register("ann")
	ann := b.user("ann")
	try := func(old string) error {
		return b.PasswordChange(t.Context(), ann, auth.PasswordChangeParams{Old: old, New: "a new password", Client: abroad()})
	}
	for range 3 {
		is(t, try("wrong password"), auth.ErrBadCredentials)
	}
	limited(t, try(password))
	limited(t, b.AccountDelete(t.Context(), ann, password, abroad()))
}

func TestTooManyHashes(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, func(c *auth.Config) {
		// One slow hash at a time, one may wait, and not for long.
		c.Argon2 = auth.Argon2{MemoryKiB: 16 << 10, Time: 4, Threads: 1}
		c.HashConcurrency, c.HashQueue, c.HashQueueTimeout = 1, 1, 2*time.Millisecond
	})
	busy := 0
	for i, err := range together(8, func(i int) error {
		return b.tryLogin(strconv.Itoa(i), password, auth.Client{IP: fmt.Sprintf("192.0.2.%d", i)})
	}) {
		if e, is := errors.AsType[*auth.BusyError](err); is {
			busy++
			equal(t, "RetryAfter", e.RetryAfter, 2*time.Millisecond)
		} else if !errors.Is(err, auth.ErrBadCredentials) {
			t.Errorf("login %d: %v", i, err)
		}
	}
	if busy == 0 {
		t.Fatal("all eight were hashed")
	}
	equal(t, "busy ones counted", b.counter(`hal9_auth_attempts_total{status="busy"}`), uint64(busy))
	equal(t, "hashes", b.counter(`hal9_auth_hashes_total{algorithm="argon2id"}`), uint64(8-busy))
	// What found no room was no failure: the budgets are whole.
	equal(t, "failures", b.counter(`hal9_auth_attempts_total{status="failure"}`), uint64(8-busy))
}

// Who finds the queue full is told so before anything is looked up for him: a flood of
// logins costs the database no query each.
func TestFullQueueCostsNoLookup(t *testing.T) {
	t.Parallel()
	full, release := false, make(chan struct{})
	b := onSQLite(t, func(c *auth.Config) {
		c.HashConcurrency, c.HashQueue = 1, 1
		c.Hash = func(ctx context.Context, job auth.HashJob) (auth.HashResult, error) {
			if full {
				<-release
			}
			return auth.HashHere(ctx, job)
		}
	})
	b.register("ann")
	full = true
	var logins sync.WaitGroup
	for i := range 2 {
		logins.Go(func() { _ = b.tryLogin("ann", password, home()) })
		testenv.Eventually(t, "one to be hashed, another to wait", func() bool {
			return b.gauge("hal9_auth_hash_running")+b.gauge("hal9_auth_hash_waiting") == float64(i+1)
		})
	}
	left, cancel := context.WithCancel(t.Context())
	cancel() // no query runs under it
	_, err := b.Login(left, auth.LoginParams{Username: "ann", Password: password, Client: abroad()})
	if _, busy := errors.AsType[*auth.BusyError](err); !busy {
		t.Errorf("with a full queue: %v, a *BusyError wanted", err)
	}
	equal(t, "busy ones counted", b.counter(`hal9_auth_attempts_total{status="busy"}`), uint64(1))
	close(release)
	logins.Wait()
	ok(t, b.tryLogin("ann", password, abroad()))
}

func TestCallerLeavesTheQueue(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	b.register("ann")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Login(ctx, auth.LoginParams{Username: "ann", Password: password}); err == nil {
		t.Fatal("a caller who left was logged in")
	}
	ok(t, b.tryLogin("ann", password, home()))
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	for _, c := range []struct {
		want   string
		change func(*auth.Config)
	}{
		{"Config.Store", func(c *auth.Config) { c.Store = nil }},
		{"auth.access_ttl", func(c *auth.Config) { c.AccessTTL = -1 }},
		{"auth.access_ttl", func(c *auth.Config) { c.RefreshTTL = time.Minute }},
		{"auth.refresh_ttl", func(c *auth.Config) { c.RefreshTTL = -1 }},
		{"auth.hash_queue_timeout", func(c *auth.Config) { c.HashQueueTimeout = -1 }},
		{"auth.hash_concurrency", func(c *auth.Config) { c.HashConcurrency = -1 }},
		{"auth.failures_per_account", func(c *auth.Config) { c.FailuresPerAccount = -1 }},
		{"auth.failures_per_address", func(c *auth.Config) { c.FailuresPerAddress = -1 }},
		{"auth.failure_window", func(c *auth.Config) { c.FailureWindow = -1 }},
		{"Config.BcryptCost", func(c *auth.Config) { c.BcryptCost = 31 }},
	} {
		cfg := auth.Config{Store: b.store}
		c.change(&cfg)
		if _, err := auth.New(cfg); err == nil || !contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.want, err)
		}
	}
}
