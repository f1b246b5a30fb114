package auth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

func TestRefresh(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		first := b.login("ann")
		session := must(b.Authenticate(t.Context(), first.AccessToken))(t).SessionID
		b.clock.Advance(20 * time.Minute) // the access token has expired
		second := must(b.Refresh(t.Context(), first.RefreshToken, home()))(t)
		p := must(b.Authenticate(t.Context(), second.AccessToken))(t)
		equal(t, "the session stays", p.SessionID, session)
		equal(t, "user", second.User.Username, "ann")
		b.unauthenticated(first.AccessToken)
		b.clock.Advance(6 * 24 * time.Hour)
		third := must(b.Refresh(t.Context(), second.RefreshToken, home()))(t)
		b.clock.Advance(7 * 24 * time.Hour)
		_, err := b.Refresh(t.Context(), third.RefreshToken, home())
		is(t, err, auth.ErrUnauthenticated)
		for _, bad := range []string{"", "hal9_rt_", third.AccessToken, third.RefreshToken + "0"} {
			_, err := b.Refresh(t.Context(), bad, home())
			is(t, err, auth.ErrUnauthenticated)
		}
	})
}

func TestRefreshReuseRevokesTheFamily(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		other := b.login("ann")
		first := b.login("ann")
		second := must(b.Refresh(t.Context(), first.RefreshToken, home()))(t)
		third := must(b.Refresh(t.Context(), second.RefreshToken, home()))(t)
		must(b.Authenticate(t.Context(), third.AccessToken))(t)

		_, err := b.Refresh(t.Context(), first.RefreshToken, abroad())
		is(t, err, auth.ErrUnauthenticated)
		b.unauthenticated(third.AccessToken)
		_, err = b.Refresh(t.Context(), third.RefreshToken, home())
		is(t, err, auth.ErrUnauthenticated)
		equal(t, "noted", b.noted("refresh_token.reuse"), 1)
		must(b.Authenticate(t.Context(), other.AccessToken))(t) // another login is not touched
		must(b.Refresh(t.Context(), other.RefreshToken, home()))(t)
	})
}

func TestRefreshOfAnInactiveUser(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		ann := b.register("ann")
		g := b.login("ann")
		key, text, err := b.APIKeyCreate(t.Context(), b.user("ann"), auth.APIKeyCreateParams{Name: "k"})
		ok(t, err)
		admin := b.admin()
		must(b.UserUpdate(t.Context(), admin, ann.ID, auth.UserUpdateParams{IsActive: new(false)}))(t)
		_, err = b.Refresh(t.Context(), g.RefreshToken, home())
		is(t, err, auth.ErrUnauthenticated)
		b.unauthenticated(g.AccessToken)
		b.unauthenticated(text)
		must(b.UserUpdate(t.Context(), admin, ann.ID, auth.UserUpdateParams{IsActive: new(true)}))(t)
		b.unauthenticated(g.AccessToken) // sessions were ended
		equal(t, "the key is good again", must(b.Authenticate(t.Context(), text))(t).KeyID, key.ID)
	})
}

// together runs a function n times at once and returns the errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func TestConcurrentRefreshesOfOneToken(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		second := newBench(t, b.url) // another server on the same database
		b.register("ann")
		for range 10 {
			g := b.login("ann")
			grants := make([]auth.Grant, 8)
			errs := together(len(grants), func(i int) error {
				s := b.Service
				if i%2 == 1 {
					s = second.Service
				}
				var err error
				grants[i], err = s.Refresh(t.Context(), g.RefreshToken, home())
				return err
			})
			won := 0
			for i, err := range errs {
				switch {
				case err == nil:
					won++
					b.unauthenticated(grants[i].AccessToken) // the others were a reuse
				case !errors.Is(err, auth.ErrUnauthenticated):
					t.Fatalf("a refresh ended in %v", err)
				}
			}
			equal(t, "refreshes that won", won, 1)
		}
	})
}

// A change of the password and a revocation meet logins and refreshes: what they
// ended stays ended, and nobody waits for ever.
func TestPasswordChangeAgainstLoginsAndRefreshes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		for round := range 5 {
			pw := password
			p := b.user("ann")
			held := b.login("ann")
			grants := make([]auth.Grant, 6)
			errs := together(len(grants)+1, func(i int) error {
				var err error
				switch {
				case i == len(grants):
					return b.PasswordChange(t.Context(), p, auth.PasswordChangeParams{Old: pw, New: "another password", Client: home()})
				case i == 0:
					grants[i], err = b.Refresh(t.Context(), held.RefreshToken, home())
				default:
					grants[i], err = b.Login(t.Context(), auth.LoginParams{Username: "ann", Password: pw, Client: home()})
				}
				return err
			})
			ok(t, errs[len(grants)])
			for i, err := range errs[:len(grants)] {
				if err == nil {
					b.unauthenticated(grants[i].AccessToken)
				} else if !errors.Is(err, auth.ErrUnauthenticated) && !errors.Is(err, auth.ErrBadCredentials) {
					t.Fatalf("round %d: login or refresh %d ended in %v", round, i, err)
				}
			}
			is(t, b.tryLogin("ann", pw, home()), auth.ErrBadCredentials)
			ok(t, b.UserSetPassword(t.Context(), auth.Principal{}, p.UserID, password, home()))
		}
	}, func(c *auth.Config) { c.FailuresPerAccount, c.FailuresPerAddress = 1000, 1000 })
}

func TestConcurrentLoginsWithAnImportedHash(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.importUser("old", bcryptOf(t, password))
		for i, err := range together(6, func(int) error { return b.tryLogin("old", password, home()) }) {
			if err != nil {
				t.Errorf("login %d: %v", i, err)
			}
		}
		equal(t, "renewals", b.noted("password.rehash"), 1)
	})
}

// Of two changes from one old password one takes effect: the other would overwrite
// what its asker has not seen.
func TestConcurrentPasswordChanges(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		ann := b.user("ann")
		changed := 0
		for _, err := range together(4, func(i int) error {
			return b.PasswordChange(t.Context(), ann, auth.PasswordChangeParams{Old: password, New: "new password " + string(rune('a'+i)), Client: home()})
		}) {
			if err == nil {
				changed++
			} else if !errors.Is(err, model.ErrConflict) && !errors.Is(err, auth.ErrBadCredentials) {
				t.Errorf("a change ended in %v", err)
			}
		}
		equal(t, "changes", changed, 1)
		equal(t, "changes noted", b.noted("password.change"), 1)
	})
}

// countingTx counts the transactions that are opened.
type countingTx struct {
	model.Store
	opened atomic.Int32
}

func (c *countingTx) InTx(ctx context.Context, fn func(context.Context, model.Tx) error) error {
	c.opened.Add(1)
	return c.Store.InTx(ctx, fn)
}

// Strangers who make up refresh tokens keep no writer waiting.
func TestMadeUpRefreshTokensTakeNoWriter(t *testing.T) {
	t.Parallel()
	counting := &countingTx{}
	b := onSQLite(t, func(c *auth.Config) { counting.Store, c.Store = c.Store, counting })
	b.register("ann")
	grant := b.login("ann")
	must(0, b.Logout(t.Context(), must(b.Authenticate(t.Context(), grant.AccessToken))(t), home()))(t)
	before := counting.opened.Load()
	for range 3 { // well formed, and of no session
		_, err := b.Refresh(t.Context(), grant.RefreshToken, home())
		is(t, err, auth.ErrUnauthenticated)
	}
	equal(t, "transactions", counting.opened.Load(), before)
}
