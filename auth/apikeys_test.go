package auth_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		ann := b.user("ann")
		make1 := func(arg auth.APIKeyCreateParams) (model.APIKey, string, error) {
			return b.APIKeyCreate(t.Context(), ann, arg)
		}
		for _, c := range []struct {
			field string
			arg   auth.APIKeyCreateParams
		}{
			{"name", auth.APIKeyCreateParams{}},
			{"name", auth.APIKeyCreateParams{Name: "two\nlines"}},
			{"permissions", auth.APIKeyCreateParams{Name: "k", Scopes: []string{"ViewNeurons"}}},
			{"permissions", auth.APIKeyCreateParams{Name: "k", Scopes: []string{"ViewNeuron", "DeleteNeuron"}}},
			{"expires_at", auth.APIKeyCreateParams{Name: "k", ExpiresAt: new(b.clock.Now())}},
		} {
			_, text, err := make1(c.arg)
			invalidField(t, err, model.ErrInvalid, c.field)
			equal(t, "text", text, "")
		}
		key, text, err := make1(auth.APIKeyCreateParams{Name: "reader", Scopes: []string{"ViewNeuron", "ViewMemory"}, ExpiresAt: new(b.clock.Now().Add(time.Hour))})
		ok(t, err)
		if !strings.HasPrefix(text, "hal9_key_") || len(text) < 9+32 || strings.Contains(key.KeyHash, text) {
			t.Fatalf("the key is %q, stored as %q", text, key.KeyHash)
		}
		p := must(b.Authenticate(t.Context(), text))(t)
		if p.KeyID != key.ID || p.UserID != ann.UserID || p.SessionID != uuid.Nil || p.Scopes != auth.NewScopeSet("ViewNeuron", "ViewMemory") {
			t.Fatalf("the principal is %+v", p)
		}
		all, _, err := make1(auth.APIKeyCreateParams{Name: "all that ann has"})
		ok(t, err)
		equal(t, "scopes", auth.KeyScopes(all.Permissions), auth.RoleScopes(auth.RoleUser))
		equal(t, "the newest first", must(b.APIKeyList(t.Context(), ann))(t)[0].ID, all.ID)

		b.clock.Advance(time.Hour)
		b.unauthenticated(text)
		is(t, b.APIKeyDelete(t.Context(), b.admin(), key.ID, home()), model.ErrNotFound) // not his own
		ok(t, b.APIKeyDelete(t.Context(), ann, key.ID, home()))
		equal(t, "keys", len(must(b.APIKeyList(t.Context(), ann))(t)), 1)

		_, text, err = make1(auth.APIKeyCreateParams{Name: "to be revoked"})
		ok(t, err)
		_, err = b.APIKeyRevoke(t.Context(), ann, key.ID, home())
		is(t, err, model.ErrNotFound)
		revoked := must(b.APIKeyList(t.Context(), ann))(t)[0].ID
		equal(t, "active", must(b.APIKeyRevoke(t.Context(), ann, revoked, home()))(t).IsActive, false)
		b.unauthenticated(text)
	})
}

// A key has never more than its owner has now.
func TestKeyScopesFollowTheOwner(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		admin := b.admin()
		ann := must(b.UserCreate(t.Context(), admin, auth.UserCreateParams{Username: "ann", Password: password, Role: auth.RoleAdmin}))(t)
		_, text, err := b.APIKeyCreate(t.Context(), b.user("ann"), auth.APIKeyCreateParams{Name: "k", Scopes: []string{"ViewNeuron", "DeleteNeuron", "SendSignal"}})
		ok(t, err)
		scopes := func() string {
			return strings.Join(must(b.Authenticate(t.Context(), text))(t).Scopes.List(), " ")
		}
		equal(t, "of an admin", scopes(), "ViewNeuron DeleteNeuron SendSignal")
		for _, c := range []struct{ role, want string }{{auth.RoleUser, "ViewNeuron SendSignal"}, {auth.RoleGuest, "ViewNeuron"}, {auth.RoleAdmin, "ViewNeuron DeleteNeuron SendSignal"}} {
			must(b.UserUpdate(t.Context(), admin, ann.ID, auth.UserUpdateParams{Role: &c.role}))(t)
			equal(t, "of a "+c.role, scopes(), c.want)
		}
	})
}

func TestKeyWithoutTheScopeChangesNothing(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		ann := b.user("ann")
		_, text, err := b.APIKeyCreate(t.Context(), ann, auth.APIKeyCreateParams{Name: "reader", Scopes: []string{"ViewNeuron"}})
		ok(t, err)
		reader := must(b.Authenticate(t.Context(), text))(t)
		_, _, err = b.APIKeyCreate(t.Context(), reader, auth.APIKeyCreateParams{Name: "more"})
		is(t, err, auth.ErrForbidden)
		_, err = b.APIKeyRevoke(t.Context(), reader, reader.KeyID, home())
		is(t, err, auth.ErrForbidden)
		is(t, b.APIKeyDelete(t.Context(), reader, reader.KeyID, home()), auth.ErrForbidden)
		is(t, b.SessionRevoke(t.Context(), reader, ann.SessionID, home()), auth.ErrForbidden)
		_, err = b.SessionRevokeAll(t.Context(), reader, home())
		is(t, err, auth.ErrForbidden)
		_, err = b.ProfileUpdate(t.Context(), reader, auth.ProfileUpdateParams{Username: new("eve")})
		is(t, err, auth.ErrForbidden)
		is(t, b.Logout(t.Context(), reader, home()), auth.ErrForbidden)

		// One that has it makes keys, but none with more than it has itself.
		_, text, err = b.APIKeyCreate(t.Context(), ann, auth.APIKeyCreateParams{Name: "manager", Scopes: []string{"ManageApiKeys", "ViewMemory"}})
		ok(t, err)
		manager := must(b.Authenticate(t.Context(), text))(t)
		_, _, err = b.APIKeyCreate(t.Context(), manager, auth.APIKeyCreateParams{Name: "more", Scopes: []string{"ViewNeuron"}})
		invalidField(t, err, model.ErrInvalid, "permissions")
		_, _, err = b.APIKeyCreate(t.Context(), manager, auth.APIKeyCreateParams{Name: "same", Scopes: []string{"ViewMemory"}})
		ok(t, err)
	})
}

// Who finds a key that is good for an hour cannot make himself one for ever.
func TestKeyLivesNoLongerThanItsMaker(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		end := model.NormalTime(b.clock.Now().Add(time.Hour))
		made, text, err := b.APIKeyCreate(t.Context(), b.user("ann"), auth.APIKeyCreateParams{Name: "for an hour", ExpiresAt: &end})
		ok(t, err)
		p := must(b.Authenticate(t.Context(), text))(t)

		child, _, err := b.APIKeyCreate(t.Context(), p, auth.APIKeyCreateParams{Name: "as long"})
		ok(t, err)
		if child.ExpiresAt == nil || !child.ExpiresAt.Equal(end) {
			t.Errorf("the key expires at %v, want %v", child.ExpiresAt, end)
		}
		_, _, err = b.APIKeyCreate(t.Context(), p, auth.APIKeyCreateParams{Name: "longer", ExpiresAt: new(end.Add(time.Second))})
		invalidField(t, err, model.ErrInvalid, "expires_at")
		child, _, err = b.APIKeyCreate(t.Context(), p, auth.APIKeyCreateParams{Name: "shorter", ExpiresAt: new(end.Add(-time.Minute))})
		ok(t, err)
		equal(t, "expiry", child.ExpiresAt.Equal(end.Add(-time.Minute)), true)

		// One that was revoked while the request came makes none.
		_, err = b.APIKeyRevoke(t.Context(), p, made.ID, home())
		ok(t, err)
		_, _, err = b.APIKeyCreate(t.Context(), p, auth.APIKeyCreateParams{Name: "late"})
		is(t, err, auth.ErrUnauthenticated)

		_, text, err = b.APIKeyCreate(t.Context(), b.user("ann"), auth.APIKeyCreateParams{Name: "for ever"})
		ok(t, err)
		child, _, err = b.APIKeyCreate(t.Context(), must(b.Authenticate(t.Context(), text))(t), auth.APIKeyCreateParams{Name: "for ever, too"})
		ok(t, err)
		equal(t, "never expires", child.ExpiresAt == nil, true)
	})
}

func TestImportedKey(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		owner := b.importUser("old", "$2b$12$x")
		const text = "sk-hal9/anything goes: é"
		sum := sha256.Sum256([]byte(text))
		for _, c := range []struct{ permissions, want string }{
			{`["ViewNeuron","SendSignal","FlyToMoon"]`, "ViewNeuron SendSignal"},
			{`[]`, ""},
			{`{"a":1}`, ""},
			{`["DeleteNeuron"]`, ""},
		} {
			id := uuid.Must(uuid.NewV7())
			must(b.store.APIKeyInsert(t.Context(), model.APIKeyInsertParams{
				ID: id, UserID: owner.ID, Name: "old", KeyHash: hex.EncodeToString(sum[:]),
				Permissions: model.JSON(c.permissions), IsActive: true, CreatedAt: b.clock.Now(),
			}))(t)
			equal(t, c.permissions, strings.Join(must(b.Authenticate(t.Context(), text))(t).Scopes.List(), " "), c.want)
			must(b.store.APIKeyDelete(t.Context(), model.APIKeyDeleteParams{ID: id, UserID: owner.ID}))(t)
		}
		for _, bad := range []string{"", text, "sk-other", "hal9_key_", "hal9_key_" + strings.Repeat("0", 48), strings.Repeat("x", 100_000), "\x00\xff"} {
			b.unauthenticated(bad)
		}
	})
}

func TestTooManyKeys(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	b.register("ann")
	ann := b.user("ann")
	for i := range 98 {
		_, _, err := b.APIKeyCreate(t.Context(), ann, auth.APIKeyCreateParams{Name: strconv.Itoa(i)})
		ok(t, err)
	}
	made := 0
	for _, err := range together(8, func(int) error {
		_, _, err := b.APIKeyCreate(t.Context(), ann, auth.APIKeyCreateParams{Name: "k"})
		return err
	}) {
		if err == nil {
			made++
			continue
		}
		is(t, err, model.ErrConflict)
	}
	equal(t, "keys made of the last two", made, 2)
}

// The last use of a key is written behind the requests, at most once a minute.
func TestLastUsed(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		key, text, err := b.APIKeyCreate(t.Context(), b.user("ann"), auth.APIKeyCreateParams{Name: "k"})
		ok(t, err)
		stored := func() model.APIKey {
			return must(b.store.APIKeyGetByHash(t.Context(), model.APIKeyGetByHashParams{KeyHash: key.KeyHash}))(t)
		}
		// flush runs the writer to its end, which writes what waits.
		flush := func() {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			ok(t, b.Run(ctx))
		}
		use := func() { must(b.Authenticate(t.Context(), text))(t) }
		first := model.NormalTime(b.clock.Now())
		for range 50 {
			use()
		}
		equal(t, "no request writes", stored().Version, key.Version)
		flush()
		equal(t, "last use", *stored().LastUsedAt, first)
		version := stored().Version
		b.clock.Advance(59 * time.Second)
		use()
		flush()
		equal(t, "within the minute", stored().Version, version)
		b.clock.Advance(time.Second)
		use()
		flush()
		equal(t, "after it", *stored().LastUsedAt, first.Add(time.Minute))

		// Another server whose clock is behind takes nothing back.
		_, err = b.store.APIKeySetLastUsed(t.Context(), model.APIKeySetLastUsedParams{ID: key.ID, LastUsedAt: first})
		is(t, err, model.ErrNotFound)
		equal(t, "the later use stays", *stored().LastUsedAt, first.Add(time.Minute))
	})
}

// Run writes by itself, and ends with its context.
func TestLastUsedIsWrittenInTheBackground(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	b.register("ann")
	key, text, err := b.APIKeyCreate(t.Context(), b.user("ann"), auth.APIKeyCreateParams{Name: "k"})
	ok(t, err)
	must(b.Authenticate(t.Context(), text))(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	testenv.Eventually(t, "the last use to be written", func() bool {
		return must(b.store.APIKeyGetByHash(t.Context(), model.APIKeyGetByHashParams{KeyHash: key.KeyHash}))(t).LastUsedAt != nil
	})
	cancel()
	ok(t, <-ended)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := auth.NewRateLimit(3, time.Minute, 100)
		take := func(key string, want bool) time.Duration {
			t.Helper()
			wait, got := l.Take(key, time.Now())
			equal(t, "allowed", got, want)
			return wait
		}
		for range 3 {
			take("a", true)
		}
		equal(t, "wait", take("a", false), 20*time.Second)
		equal(t, "wait without taking", l.Wait("a", time.Now()), 20*time.Second)
		take("b", true)
		time.Sleep(20*time.Second - 1)
		take("a", false)
		time.Sleep(time.Nanosecond)
		take("a", true)
		take("a", false)
		l.Return("a", time.Now())
		take("a", true)
		l.Forget("a")
		for range 3 {
			take("a", true)
		}
		time.Sleep(time.Hour)
		for range 3 {
			take("a", true)
		}
		take("a", false)

		// A flood of other keys is bounded, and does not free who is held back.
		for i := range 10_000 {
			take(strconv.Itoa(i), true)
		}
		equal(t, "keys remembered", l.Len(), 100)
		take("a", false)
	})
}

func TestAddressKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ip, want string }{
		{"192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2:ffff::", "2001:db8:1:2::/64"},
		{"2001:db8:1:3::", "2001:db8:1:3::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"", "unknown"},
		{"nonsense", "unknown"},
	} {
		equal(t, c.ip, auth.AddressKey(c.ip), c.want)
	}
}
