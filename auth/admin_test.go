package auth_test

import (
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

func TestFirstAdminKey(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		text, made, err := b.FirstAdminKey(t.Context())
		ok(t, err)
		equal(t, "made", made, true)
		p := must(b.Authenticate(t.Context(), text))(t)
		if p.Username != "admin" || p.Scopes != auth.RoleScopes(auth.RoleAdmin) || p.Scopes.Len() != 12 {
			t.Fatalf("the principal is %+v", p)
		}
		text, made, err = b.FirstAdminKey(t.Context())
		ok(t, err)
		if made || text != "" {
			t.Fatal("there was a user already")
		}
		is(t, b.tryLogin("admin", "", home()), auth.ErrBadCredentials)
		is(t, b.tryLogin("admin", "!", home()), auth.ErrBadCredentials)
		ok(t, b.UserSetPassword(t.Context(), p, p.UserID, password, home()))
		ok(t, b.tryLogin("admin", password, home()))
	})
}

func TestNoFirstAdminKeyWhereUsersAre(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	b.register("ann")
	_, made, err := b.FirstAdminKey(t.Context())
	ok(t, err)
	equal(t, "made", made, false)
}

// Two servers that start together on one database make one key.
func TestFirstAdminKeyOfServersThatStartTogether(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		second := newBench(t, b.url)
		keys := make([]string, 8)
		for i, err := range together(len(keys), func(i int) error {
			s := b.Service
			if i%2 == 1 {
				s = second.Service
			}
			text, made, err := s.FirstAdminKey(t.Context())
			if made {
				keys[i] = text
			}
			return err
		}) {
			if err != nil {
				t.Errorf("server %d: %v", i, err)
			}
		}
		made := 0
		for _, text := range keys {
			if text != "" {
				made++
				must(b.Authenticate(t.Context(), text))(t)
			}
		}
		equal(t, "keys made", made, 1)
		users := must(b.UserList(t.Context(), "", 10))(t)
		equal(t, "users", len(users), 1)
		equal(t, "keys stored", len(must(b.UserAPIKeys(t.Context(), users[0].ID))(t)), 1)
	})
}

func TestAdminKeyCreate(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		second := newBench(t, b.url)
		keys := make([]string, 6)
		for i, err := range together(len(keys), func(i int) error {
			s := b.Service
			if i%2 == 1 {
				s = second.Service
			}
			var err error
			keys[i], _, err = s.AdminKeyCreate(t.Context(), "way in")
			return err
		}) {
			if err != nil {
				t.Errorf("command %d: %v", i, err)
			}
		}
		first := must(b.Authenticate(t.Context(), keys[0]))(t)
		for _, text := range keys {
			p := must(b.Authenticate(t.Context(), text))(t)
			if p.UserID != first.UserID || p.Scopes != auth.RoleScopes(auth.RoleAdmin) {
				t.Fatalf("the principal is %+v", p)
			}
		}
		equal(t, "users", len(must(b.UserList(t.Context(), "", 10))(t)), 1)
		_, _, err := b.AdminKeyCreate(t.Context(), "")
		invalidField(t, err, model.ErrInvalid, "name")
	})
}

// Who registered as admin does not become one by the way back in.
func TestAdminKeyCreateWhereTheNameIsTaken(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		stranger := b.register("admin")
		text, key, err := b.AdminKeyCreate(t.Context(), "way back in")
		ok(t, err)
		p := must(b.Authenticate(t.Context(), text))(t)
		if p.Username != "admin-2" || key.UserID == stranger.ID || p.Role != auth.RoleAdmin {
			t.Fatalf("the principal is %+v", p)
		}
		equal(t, "the stranger's role", must(b.UserGet(t.Context(), stranger.ID))(t).Role, auth.RoleUser)
	})
}

// The last active admin cannot be taken away, in no way and by nobody.
func TestLastAdmin(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		admin := b.admin()
		ok(t, b.UserSetPassword(t.Context(), admin, admin.UserID, password, home()))
		idle := must(b.UserCreate(t.Context(), admin, auth.UserCreateParams{Username: "idle", Password: password, Role: auth.RoleAdmin}))(t)
		must(b.UserUpdate(t.Context(), admin, idle.ID, auth.UserUpdateParams{IsActive: new(false)}))(t)

		_, err := b.UserUpdate(t.Context(), admin, admin.UserID, auth.UserUpdateParams{Role: new(auth.RoleUser)})
		is(t, err, model.ErrConflict)
		_, err = b.UserUpdate(t.Context(), admin, admin.UserID, auth.UserUpdateParams{IsActive: new(false)})
		is(t, err, model.ErrConflict)
		is(t, b.UserDelete(t.Context(), admin, admin.UserID, home()), model.ErrConflict)
		is(t, b.AccountDelete(t.Context(), admin, password, home()), model.ErrConflict)
		must(b.UserUpdate(t.Context(), admin, admin.UserID, auth.UserUpdateParams{Role: new(auth.RoleAdmin), IsActive: new(true)}))(t)

		must(b.UserUpdate(t.Context(), admin, idle.ID, auth.UserUpdateParams{IsActive: new(true)}))(t)
		ok(t, b.AccountDelete(t.Context(), admin, password, home()))
	})
}

// Two admins who take each other's role at once leave one.
func TestLastAdminUnderConcurrency(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		second := newBench(t, b.url)
		one := b.admin()
		for round := range 5 {
			two := must(b.UserCreate(t.Context(), one, auth.UserCreateParams{Username: "two", Password: password, Role: auth.RoleAdmin}))(t)
			p := auth.Principal{UserID: two.ID}
			errs := together(2, func(i int) error {
				if i == 0 {
					_, err := b.UserUpdate(t.Context(), p, one.UserID, auth.UserUpdateParams{Role: new(auth.RoleUser)})
					return err
				}
				return second.UserDelete(t.Context(), one, two.ID, home())
			})
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else {
					is(t, err, model.ErrConflict)
				}
			}
			equal(t, "taken away", won, 1)
			equal(t, "admins left", must(b.store.UserCountByRole(t.Context(), model.UserCountByRoleParams{Role: auth.RoleAdmin}))(t), 1)
			if errs[0] == nil { // two is left: begin again with one
				must(b.UserUpdate(t.Context(), p, one.UserID, auth.UserUpdateParams{Role: new(auth.RoleAdmin)}))(t)
				ok(t, b.UserDelete(t.Context(), one, two.ID, home()))
			}
			_ = round
		}
	})
}
