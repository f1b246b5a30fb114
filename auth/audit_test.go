package auth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// Each privileged act leaves one entry, and no secret is in any entry or in the log.
func TestAuditAndSecrets(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		const canary = "cänary-password-1"
		ctx, c := t.Context(), home()
		var secrets []string
		keep := func(texts ...string) { secrets = append(secrets, texts...) }
		keep(password, canary, "typed-into-the-name")

		first, _, err := b.FirstAdminKey(ctx)
		ok(t, err)
		text, _, err := b.AdminKeyCreate(ctx, "way in")
		ok(t, err)
		keep(first, text)
		admin := must(b.Authenticate(ctx, text))(t)
		made := must(b.UserCreate(ctx, admin, auth.UserCreateParams{Username: "bob", Password: password, Role: auth.RoleGuest, Client: c}))(t)
		must(b.UserUpdate(ctx, admin, made.ID, auth.UserUpdateParams{Role: new(auth.RoleUser), Client: c}))(t)
		ok(t, b.UserSetPassword(ctx, admin, made.ID, canary, c))
		b.register("ann")
		g := b.login("ann")
		ann := must(b.Authenticate(ctx, g.AccessToken))(t)
		is(t, b.tryLogin("ann", canary, c), auth.ErrBadCredentials)
		is(t, b.tryLogin("typed-into-the-name", canary, c), auth.ErrBadCredentials)
		renewed := must(b.Refresh(ctx, g.RefreshToken, c))(t)
		_, _, err = b.APIKeyCreate(ctx, ann, auth.APIKeyCreateParams{Name: "a line\u2028separator", Client: c})
		invalidField(t, err, model.ErrInvalid, "name")
		key, text, err := b.APIKeyCreate(ctx, ann, auth.APIKeyCreateParams{Name: `k","action":"forged`, Client: c})
		ok(t, err)
		must(b.APIKeyRevoke(ctx, ann, key.ID, c))(t)
		ok(t, b.APIKeyDelete(ctx, ann, key.ID, c))
		must(b.ProfileUpdate(ctx, ann, auth.ProfileUpdateParams{Email: new("ann@example.org"), Client: c}))(t)
		_, err = b.Refresh(ctx, g.RefreshToken, c)
		is(t, err, auth.ErrUnauthenticated)
		keep(g.AccessToken, g.RefreshToken, renewed.AccessToken, renewed.RefreshToken, text)
		ann = b.user("ann")
		ok(t, b.SessionRevoke(ctx, ann, ann.SessionID, c))
		ann = b.user("ann")
		must(b.SessionRevokeAll(ctx, ann, c))(t)
		ok(t, b.Logout(ctx, b.user("ann"), c))
		ok(t, b.PasswordChange(ctx, ann, auth.PasswordChangeParams{Old: password, New: canary, Client: c}))
		ok(t, b.AccountDelete(ctx, ann, canary, c))
		ok(t, b.UserDelete(ctx, admin, made.ID, c))
		ok(t, b.Audit(ctx, admin, "neuron.delete", "neuron", "n1", map[string]any{"note": "a\r\nb"}, c))

		actions := make([]string, 0, 40)
		for _, line := range b.audit() {
			action, _, _ := strings.Cut(line, " ")
			actions = append(actions, action)
		}
		want := []string{
			"user.create", "api_key.create", // the first admin's
			"api_key.create",
			"user.create", "user.update", "password.change", "user.register", "login", "login.failed", "login.failed",
			"api_key.create", "api_key.revoke", "api_key.delete", "profile.update", "refresh_token.reuse",
			"login", "session.revoke", "login", "session.revoke_all", "login", "logout",
			"password.change", "user.delete", "user.delete", "neuron.delete",
		}
		if !slices.Equal(actions, want) {
			t.Fatalf("the audit log has\n%s\nwant\n%s", strings.Join(actions, " "), strings.Join(want, " "))
		}
		entries := strings.Join(b.audit(), "\n")
		for _, s := range secrets {
			if contains(entries, s) || contains(b.log.String(), s) {
				t.Errorf("the secret %q is shown", s)
			}
		}
		if !contains(entries, `k\",\"action\":\"forged`) || !contains(entries, `a\r\nb`) {
			t.Errorf("details are not escaped:\n%s", entries)
		}
		rows := must(b.AuditList(ctx, model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), UserID: &admin.UserID, PageLimit: 100}))(t)
		for _, r := range rows {
			if *r.UserID != admin.UserID {
				t.Errorf("an entry of another user: %+v", r)
			}
		}
	})
}

// What a client says of itself is made storable and bounded, and fails no login.
func TestOddClients(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		for _, agent := range []string{"a\x00b", "\xff\xfe", strings.Repeat("é", 10_000), "two\r\nlines"} {
			ok(t, b.tryLogin("ann", password, auth.Client{IP: "not an address", UserAgent: agent}))
		}
		for _, s := range must(b.UserSessions(t.Context(), b.user("ann").UserID))(t) {
			if len(*s.UserAgent) > 512 {
				t.Errorf("%d bytes of a user agent are stored", len(*s.UserAgent))
			}
		}
	})
}

// An act and its entry are one: where the entry cannot be written, nothing is done.
func TestActAndEntryAreOne(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	b.register("ann")
	ann := b.user("ann")
	_, _, err := b.APIKeyCreate(t.Context(), ann, auth.APIKeyCreateParams{Name: "k"})
	ok(t, err)
	broken := must(auth.New(auth.Config{Store: withoutAudit{b.store}, Argon2: cheap(), Clock: b.clock.Now}))(t)
	key := must(b.APIKeyList(t.Context(), ann))(t)[0]
	if err := broken.APIKeyDelete(t.Context(), ann, key.ID, home()); err == nil {
		t.Fatal("deleted without an entry")
	}
	if _, err := broken.SessionRevokeAll(t.Context(), ann, home()); err == nil {
		t.Fatal("revoked without an entry")
	}
	if _, err := broken.Login(t.Context(), auth.LoginParams{Username: "ann", Password: password}); err == nil {
		t.Fatal("logged in without an entry")
	}
	equal(t, "keys", len(must(b.APIKeyList(t.Context(), ann))(t)), 1)
	equal(t, "sessions", len(must(b.SessionList(t.Context(), ann))(t)), 1)
}

func TestUserIDsOfEntries(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	ann := b.register("ann")
	is(t, b.tryLogin("ann", "wrong password", home()), auth.ErrBadCredentials)
	rows := must(b.AuditList(t.Context(), model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 10}))(t)
	// Who failed is nobody; whose account it was is the resource.
	if rows[0].UserID != nil || *rows[0].ResourceID != ann.ID.String() || *rows[0].IPAddress != home().IP {
		t.Fatalf("a failed login is %+v", rows[0])
	}
	if *rows[1].UserID != ann.ID || rows[1].UserID == &uuid.Nil {
		t.Fatalf("a registration is %+v", rows[1])
	}
}
