package auth_test

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/gen/cachedstore"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// wiretap is a way to a database that counts what is sent to it.
type wiretap struct {
	sent atomic.Int64
}

// tap listens before the database of a URL and returns the URL of the listener.
func (w *wiretap) tap(t *testing.T, database string) string {
	t.Helper()
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	target := address.Host
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var pipes sync.WaitGroup
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		pipes.Wait()
	})
	pipes.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := new(net.Dialer).DialContext(t.Context(), "tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			both := func() { _, _ = client.Close(), server.Close() }
			pipes.Go(func() { defer both(); _, _ = io.Copy(io.MultiWriter(server, w), client) })
			pipes.Go(func() { defer both(); _, _ = io.Copy(client, server) })
		}
	})
	address.Host = ln.Addr().String()
	return address.String()
}

func (w *wiretap) Write(p []byte) (int, error) {
	w.sent.Add(int64(len(p)))
	return len(p), nil
}

// lasting is a cache in memory, and in the cache server at the URL if there is one,
// that forgets nothing by itself.
func lasting(cacheURL, prefix string) *store.Cache {
	return &store.Cache{
		Config: cacheutil.Config{URL: cacheURL, Prefix: prefix, EpochInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)},
		Settings: func(cachedstore.Entity) cachedstore.Settings {
			return cachedstore.Settings{TTL: time.Hour, NegativeTTL: time.Hour}
		},
	}
}

func freshPrefix() string { return "test-" + rand.Text() + ":" }

// TestWarmRequestsAskNoDatabase: once a token, a key and their users are known, who
// shows them costs the database nothing, not a byte.
func TestWarmRequestsAskNoDatabase(t *testing.T) {
	t.Parallel()
	for name, cacheURL := range map[string]string{"process": "", "valkey": testenv.CacheURL(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var wire wiretap
			b := newCachedBench(t, wire.tap(t, databaseURL(t, postgresEngine)), lasting(cacheURL, freshPrefix()))
			ann := b.register("ann")
			grant := b.login("ann")
			_, key, err := b.APIKeyCreate(t.Context(), auth.Principal{UserID: ann.ID, Scopes: auth.RoleScopes(auth.RoleUser)}, auth.APIKeyCreateParams{Name: "k", Client: home()})
			ok(t, err)
			ask := func() {
				t.Helper()
				for _, credential := range []string{grant.AccessToken, key} {
					p := must(b.Authenticate(t.Context(), credential))(t)
					if p.UserID != ann.ID {
						t.Errorf("it is %s", p.UserID)
					}
					must(b.Profile(t.Context(), p))(t)
				}
			}
			ask()
			before := wire.sent.Load()
			for range 50 {
				ask()
			}
			if sent := wire.sent.Load() - before; before == 0 || sent != 0 {
				t.Errorf("%d bytes were sent before, and %d for warm requests", before, sent)
			}
		})
	}
}

// ways are the ways in which a credential may lose its worth. Each is given a fresh
// user, and what is shown.
func ways() map[string]func(t *testing.T, b *bench, user model.User, session, key auth.Principal) (sessionDies, keyDies bool) {
	return map[string]func(t *testing.T, b *bench, user model.User, session, key auth.Principal) (sessionDies, keyDies bool){
		"logout": func(t *testing.T, b *bench, _ model.User, session, _ auth.Principal) (bool, bool) {
			t.Helper()
			ok(t, b.Logout(t.Context(), session, home()))
			return true, false
		},
		"all sessions": func(t *testing.T, b *bench, _ model.User, session, _ auth.Principal) (bool, bool) {
			t.Helper()
			must(b.SessionRevokeAll(t.Context(), session, home()))(t)
			return true, false
		},
		"password": func(t *testing.T, b *bench, user model.User, _, _ auth.Principal) (bool, bool) {
			t.Helper()
			ok(t, b.UserSetPassword(t.Context(), auth.Principal{}, user.ID, "another good password", home()))
			return true, false
		},
		"key revoked": func(t *testing.T, b *bench, user model.User, _, key auth.Principal) (bool, bool) {
			t.Helper()
			must(b.AdminAPIKeyRevoke(t.Context(), auth.Principal{}, user.ID, key.KeyID, home()))(t)
			return false, true
		},
		"key deleted": func(t *testing.T, b *bench, user model.User, _, key auth.Principal) (bool, bool) {
			t.Helper()
			ok(t, b.AdminAPIKeyDelete(t.Context(), auth.Principal{}, user.ID, key.KeyID, home()))
			return false, true
		},
		"deactivated": func(t *testing.T, b *bench, user model.User, _, _ auth.Principal) (bool, bool) {
			t.Helper()
			must(b.UserUpdate(t.Context(), auth.Principal{}, user.ID, auth.UserUpdateParams{IsActive: new(false), Client: home()}))(t)
			return true, true
		},
		"deleted": func(t *testing.T, b *bench, user model.User, _, _ auth.Principal) (bool, bool) {
			t.Helper()
			ok(t, b.UserDelete(t.Context(), auth.Principal{}, user.ID, home()))
			return true, true
		},
	}
}

// shown is what a user has to show.
type shown struct {
	user          model.User
	session, key  string
	bySession     auth.Principal
	byKey         auth.Principal
	refreshToken  string
	authenticated func(b *bench, credential string) bool
}

func show(t *testing.T, b *bench) *shown {
	t.Helper()
	s := &shown{user: b.register("ann")}
	grant := b.login("ann")
	s.session, s.refreshToken = grant.AccessToken, grant.RefreshToken
	s.bySession = must(b.Authenticate(t.Context(), s.session))(t)
	_, key, err := b.APIKeyCreate(t.Context(), s.bySession, auth.APIKeyCreateParams{Name: "k", Client: home()})
	ok(t, err)
	s.key = key
	s.byKey = must(b.Authenticate(t.Context(), s.key))(t)
	s.authenticated = func(b *bench, credential string) bool {
		t.Helper()
		_, err := b.Authenticate(t.Context(), credential)
		if err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
			t.Fatal(err)
		}
		return err == nil
	}
	return s
}

// TestRevokedCredentialsAreRefused: on the server that revoked them at once, on
// another one over the same cache server promptly.
func TestRevokedCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	cacheURL := testenv.CacheURL(t)
	for way, revoke := range ways() {
		for _, engine := range []string{sqliteEngine, postgresEngine} {
			t.Run(way+"/"+engine, func(t *testing.T) {
				t.Parallel()
				database, prefix := databaseURL(t, engine), freshPrefix()
				here := newCachedBench(t, database, lasting(cacheURL, prefix))
				there := newCachedBench(t, database, lasting(cacheURL, prefix))
				s := show(t, here)
				for _, b := range []*bench{here, there} {
					for range 2 { // from the database or the cache server, then from memory
						if !s.authenticated(b, s.session) || !s.authenticated(b, s.key) {
							t.Fatal("a good credential is refused")
						}
					}
				}
				sessionDies, keyDies := revoke(t, here, s.user, s.bySession, s.byKey)
				if s.authenticated(here, s.session) == sessionDies || s.authenticated(here, s.key) == keyDies {
					t.Errorf("at once, here: the session dies: %v, the key: %v", sessionDies, keyDies)
				}
				eventually(t, func() bool {
					return s.authenticated(there, s.session) != sessionDies && s.authenticated(there, s.key) != keyDies
				})
			})
		}
	}
}

// TestRotatedTokensAreRefused: the access token that a refresh replaced is void, and so
// is the whole family when a spent refresh token comes back.
func TestRotatedTokensAreRefused(t *testing.T) {
	t.Parallel()
	b := newCachedBench(t, databaseURL(t, sqliteEngine), lasting("", ""))
	s := show(t, b)
	grant := must(b.Refresh(t.Context(), s.refreshToken, home()))(t)
	if s.authenticated(b, s.session) || !s.authenticated(b, grant.AccessToken) {
		t.Error("after a refresh: the old token works, or the new one does not")
	}
	if _, err := b.Refresh(t.Context(), s.refreshToken, home()); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("a spent refresh token: %v", err)
	}
	if s.authenticated(b, grant.AccessToken) {
		t.Error("the family of a token that was used twice works on")
	}
}

// TestWithoutACacheServerOthersLearnInTime: what another server revoked is refused once
// cache.local_max_ttl has passed, and is known until then.
func TestWithoutACacheServerOthersLearnInTime(t *testing.T) {
	t.Parallel()
	database := databaseURL(t, sqliteEngine)
	here := newCachedBench(t, database, lasting("", ""))
	clock := testenv.NewClock(time.Now())
	bounded := lasting("", "")
	bounded.LocalMaxTTL, bounded.Now = 2*time.Second, clock.Now
	there := newCachedBench(t, database, bounded)
	s := show(t, here)
	if !s.authenticated(there, s.session) || !s.authenticated(there, s.key) {
		t.Fatal("a good credential is refused")
	}
	ok(t, here.UserDelete(t.Context(), auth.Principal{}, s.user.ID, home()))
	if !s.authenticated(there, s.session) || !s.authenticated(there, s.key) {
		t.Error("it was not cached: the test proves nothing")
	}
	clock.Advance(2*time.Second + time.Millisecond)
	if s.authenticated(there, s.session) || s.authenticated(there, s.key) {
		t.Error("still let in after cache.local_max_ttl")
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	testenv.Eventually(t, "the condition of this line", holds)
}
