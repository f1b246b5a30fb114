package auth_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

func bcryptOf(t *testing.T, pw string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(pw), bcrypt.MinCost)
	ok(t, err)
	return string(hash)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		b.register("bob")
		ann, bob := b.user("ann"), b.user("bob")
		second := b.login("ann")
		third := b.login("ann")

		is(t, b.SessionRevoke(t.Context(), bob, ann.SessionID, home()), model.ErrNotFound)
		is(t, b.SessionRevoke(t.Context(), ann, uuid.New(), home()), model.ErrNotFound)
		ok(t, b.SessionRevoke(t.Context(), ann, must(b.Authenticate(t.Context(), second.AccessToken))(t).SessionID, home()))
		b.unauthenticated(second.AccessToken)
		_, err := b.Refresh(t.Context(), second.RefreshToken, home())
		is(t, err, auth.ErrUnauthenticated)

		ok(t, b.Logout(t.Context(), must(b.Authenticate(t.Context(), third.AccessToken))(t), home()))
		b.unauthenticated(third.AccessToken)
		equal(t, "sessions left", len(must(b.SessionList(t.Context(), ann))(t)), 1)
		b.login("ann")
		equal(t, "ended", must(b.SessionRevokeAll(t.Context(), ann, home()))(t), 2)
		equal(t, "bob's", len(must(b.SessionList(t.Context(), bob))(t)), 1)

		b.login("ann")
		b.clock.Advance(7*24*time.Hour - time.Second)
		equal(t, "a session that can be renewed", len(must(b.SessionList(t.Context(), ann))(t)), 1)
		b.clock.Advance(time.Second)
		equal(t, "one that cannot", len(must(b.SessionList(t.Context(), ann))(t)), 0)
	})
}

func TestPasswordChange(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		g := b.login("ann")
		ann := must(b.Authenticate(t.Context(), b.login("ann").AccessToken))(t)
		_, key, err := b.APIKeyCreate(t.Context(), ann, auth.APIKeyCreateParams{Name: "k"})
		ok(t, err)
		change := func(old, fresh string) error {
			return b.PasswordChange(t.Context(), ann, auth.PasswordChangeParams{Old: old, New: fresh, Client: home()})
		}
		is(t, change("wrong password", "a new password"), auth.ErrBadCredentials)
		invalidField(t, change(password, "short"), model.ErrInvalid, "new_password")
		must(b.Authenticate(t.Context(), g.AccessToken))(t)
		ok(t, change(password, "a new password"))
		b.unauthenticated(g.AccessToken)
		_, err = b.Refresh(t.Context(), g.RefreshToken, home())
		is(t, err, auth.ErrUnauthenticated)
		equal(t, "sessions", len(must(b.SessionList(t.Context(), ann))(t)), 0)
		must(b.Authenticate(t.Context(), key))(t) // keys stay
		is(t, b.tryLogin("ann", password, home()), auth.ErrBadCredentials)
		ok(t, b.tryLogin("ann", "a new password", home()))
	})
}

func TestProfile(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		b.register("bob")
		ann := b.user("ann")
		u := must(b.ProfileUpdate(t.Context(), ann, auth.ProfileUpdateParams{Username: new("anna"), Email: new("ann@example.org")}))(t)
		if u.Username != "anna" || *u.Email != "ann@example.org" || u.EmailVerified || u.Role != auth.RoleUser {
			t.Fatalf("the profile is %+v", u)
		}
		_, err := b.ProfileUpdate(t.Context(), ann, auth.ProfileUpdateParams{Username: new("bob")})
		invalidField(t, err, model.ErrConflict, "username")
		_, err = b.ProfileUpdate(t.Context(), ann, auth.ProfileUpdateParams{Email: new("nonsense")})
		invalidField(t, err, model.ErrInvalid, "email")
		u = must(b.ProfileUpdate(t.Context(), ann, auth.ProfileUpdateParams{Email: new("")}))(t)
		if u.Email != nil || u.Username != "anna" {
			t.Fatalf("the profile is %+v", u)
		}
		version := u.Version
		equal(t, "nothing to change", must(b.ProfileUpdate(t.Context(), ann, auth.ProfileUpdateParams{}))(t).Version, version)
		equal(t, "profile", must(b.Profile(t.Context(), ann))(t).Username, "anna")
	})
}

func TestAccountDelete(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		b.register("ann")
		ann := b.user("ann")
		g := b.login("ann")
		is(t, b.AccountDelete(t.Context(), ann, "wrong password", home()), auth.ErrBadCredentials)
		must(b.Profile(t.Context(), ann))(t)
		ok(t, b.AccountDelete(t.Context(), ann, password, home()))
		b.unauthenticated(g.AccessToken)
		_, err := b.Profile(t.Context(), ann)
		is(t, err, auth.ErrUnauthenticated)
		equal(t, "noted after the user is gone", b.noted("user.delete"), 1)
	})
}

func TestUsersByAdmins(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		admin := b.admin()
		_, err := b.UserCreate(t.Context(), admin, auth.UserCreateParams{Username: "x", Password: password, Role: "root"})
		invalidField(t, err, model.ErrInvalid, "role")
		ann := must(b.UserCreate(t.Context(), admin, auth.UserCreateParams{Username: "ann", Password: password, Role: auth.RoleGuest}))(t)
		p := b.user("ann")
		equal(t, "a guest's scopes", p.Scopes, auth.RoleScopes(auth.RoleGuest))
		_, err = b.UserUpdate(t.Context(), admin, ann.ID, auth.UserUpdateParams{Role: new("root")})
		invalidField(t, err, model.ErrInvalid, "role")
		g := b.login("ann")
		must(b.UserUpdate(t.Context(), admin, ann.ID, auth.UserUpdateParams{Role: new(auth.RoleUser)}))(t)
		equal(t, "the role counts at once", must(b.Authenticate(t.Context(), g.AccessToken))(t).Role, auth.RoleUser)
		ok(t, b.UserSetPassword(t.Context(), admin, ann.ID, "set by an admin", home()))
		b.unauthenticated(g.AccessToken)
		ok(t, b.tryLogin("ann", "set by an admin", home()))
		equal(t, "sessions", len(must(b.UserSessions(t.Context(), ann.ID))(t)), 1)
		session := must(b.UserSessions(t.Context(), ann.ID))(t)[0].ID
		is(t, b.AdminSessionRevoke(t.Context(), admin, admin.UserID, session, home()), model.ErrNotFound)
		ok(t, b.AdminSessionRevoke(t.Context(), admin, ann.ID, session, home()))
		equal(t, "users", len(must(b.UserList(t.Context(), "", 10))(t)), 2)
		equal(t, "after admin", must(b.UserList(t.Context(), "admin", 10))(t)[0].ID, ann.ID)
		ok(t, b.UserDelete(t.Context(), admin, ann.ID, home()))
		is(t, b.UserDelete(t.Context(), admin, ann.ID, home()), model.ErrNotFound)
		_, err = b.UserGet(t.Context(), ann.ID)
		is(t, err, model.ErrNotFound)
		is(t, b.UserSetPassword(t.Context(), admin, ann.ID, password, home()), model.ErrNotFound)
	})
}
