package transfer_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer"
)

// Old passwords and API keys work after the import, from either variant and
// from before and after the email's migration.
func TestOldCredentialsWork(t *testing.T) {
	t.Parallel()
	const cost = 12 // as the original hashed
	hash, err := bcrypt.GenerateFromPassword([]byte("old password"), cost)
	if err != nil {
		t.Fatal(err)
	}
	verifier := strings.Replace(string(hash), "$2a$", "$2b$", 1) // Rust's bcrypt writes 2b
	onEngines(t, func(t *testing.T, st model.Store) {
		for n, ddl := range []string{ddlAUsers + ddlARest, ddlA, ddlB} {
			name, secret := fmt.Sprintf("user%d", n), fmt.Sprintf("hal9_%d", n)
			source := newSource(t, ddl)
			u := values{"id": numbered(n + 1), "username": name, "password_hash": verifier}
			k := values{"id": numbered(n + 101), "user_id": numbered(n + 1), "key_hash": hashOf(secret), "permissions": `["ViewNeuron","SendSignal","SystemAdmin"]`}
			if ddl == ddlB {
				u["email"] = "b@example.org"
				k["permissions"] = `{"permissions":["ViewNeuron","SendSignal","SystemAdmin"]}`
				k["last_used"] = 1749722500
			} else {
				u["updated_at"] = 1749722400
				source.session(t, values{"id": numbered(n + 201), "user_id": numbered(n + 1), "token_hash": hashOf("token of " + name)})
			}
			source.user(t, u)
			source.apiKey(t, k)
			report := imported(t, source.done(t), st, transfer.Options{})

			service, err := auth.New(auth.Config{Store: st})
			if err != nil {
				t.Fatal(err)
			}
			p, err := service.Authenticate(t.Context(), secret)
			if err != nil || p.Username != name {
				t.Fatalf("the old key: %+v, %v", p, err)
			}
			// A user's key cannot do what the user cannot.
			if got := p.Scopes.List(); !reflect.DeepEqual(got, []string{"ViewNeuron", "SendSignal"}) {
				t.Errorf("the old key may %v", got)
			}
			if ddl != ddlB {
				if got := adapted(table(t, report, "sessions"), "the user logs in again"); got != 1 {
					t.Errorf("%d open sessions are told of, want 1", got)
				}
			} else if got := apiKey(t, st, hashOf(secret)).LastUsedAt; got == nil || got.Unix() != 1749722500 {
				t.Errorf("last_used became %v", got)
			}
			if _, err := service.Login(t.Context(), auth.LoginParams{Username: name, Password: "wrong password"}); err == nil {
				t.Error("a wrong password was accepted")
			}
			if _, err := service.Login(t.Context(), auth.LoginParams{Username: name, Password: "old password"}); err != nil {
				t.Errorf("the old password: %v", err)
			}
		}
	})
}

// The rights are named as package auth names them.
func TestScopesAreThoseOfAuth(t *testing.T) {
	t.Parallel()
	st := openStore(t, "sqlite")
	var names []string
	for _, s := range auth.AllScopes() {
		names = append(names, `"`+string(s)+`"`)
	}
	source := newSource(t, ddlA)
	source.user(t, values{"updated_at": 1})
	source.apiKey(t, values{"permissions": "[" + strings.Join(names, ",") + "]"})
	imported(t, source.done(t), st, transfer.Options{})
	if got := auth.KeyScopes(apiKey(t, st, hashOf("key")).Permissions); got.Len() != len(names) {
		t.Errorf("imported %v", got.List())
	}
}

func TestAccountsThatAreOdd(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, looseAccounts+"ALTER TABLE users ADD COLUMN avatar;")
		legacyUser := model.LegacyID("user", "bob-the-first")
		source.user(t, values{"id": "bob-the-first", "username": "Bob", "email": "bob@example.org", "email_verified": 1, "avatar": []byte{255}, "created_at": "2025-06-12 10:00:00", "last_login": 1749722400.5})
		source.user(t, values{"id": numbered(2), "username": "bob", "email": "bob@example.org", "email_verified": 1, "role": "Overlord", "is_active": "maybe"})
		source.user(t, values{"id": numbered(3), "username": "Bob", "email": ""})
		source.user(t, values{"id": numbered(4), "username": strings.Repeat("x", 256)})
		source.user(t, values{"id": numbered(5), "username": "eve", "role": `"Admin"`, "created_at": "never", "password_hash": nil, "email": strings.Repeat("e", 300)})
		source.apiKey(t, values{"id": "key 1", "user_id": "bob-the-first", "permissions": `["ViewNeuron","FlyToMars","ViewNeuron"]`, "key_hash": hashOf("1")})
		source.apiKey(t, values{"id": numbered(102), "user_id": numbered(2), "permissions": `{broken`, "key_hash": hashOf("2"), "expires_at": "some day", "name": ""})
		source.apiKey(t, values{"id": numbered(103), "user_id": numbered(3), "key_hash": hashOf("3")})
		source.apiKey(t, values{"id": numbered(104), "user_id": numbered(99), "key_hash": hashOf("4")})
		source.apiKey(t, values{"id": numbered(105), "user_id": numbered(2), "key_hash": hashOf("1")})
		source.apiKey(t, values{"id": numbered(106), "user_id": numbered(5), "key_hash": hashOf("6"), "permissions": nil, "name": strings.Repeat("n", 300)})
		source.session(t, values{"user_id": "bob-the-first", "ip_address": "::1", "user_agent": "\xff", "expires_at": 1})
		source.session(t, values{"id": numbered(202), "user_id": numbered(99), "token_hash": hashOf("5")})
		path := source.done(t)

		dry := imported(t, path, st, transfer.Options{DryRun: true})
		report := imported(t, path, st, transfer.Options{ChunkRows: 2})
		for _, r := range []*transfer.Report{dry, report} {
			wantCounts(t, table(t, r, "users"), 5, 3, 0, 2)
			wantCounts(t, table(t, r, "api_keys"), 6, 3, 0, 3)
			wantCounts(t, table(t, r, "sessions"), 2, 1, 0, 1)
			wantReason(t, table(t, r, "users"), numbered(3), "username is that of an earlier row")
			wantReason(t, table(t, r, "users"), numbered(4), "username is longer than 255")
			wantReason(t, table(t, r, "api_keys"), numbered(103), "a user who was not imported")
			wantReason(t, table(t, r, "api_keys"), numbered(104), "user_id names no user")
			wantReason(t, table(t, r, "api_keys"), numbered(105), "key_hash is that of an earlier row")
			wantReason(t, table(t, r, "sessions"), numbered(202), "user_id names no user")
		}
		if adapted(table(t, report, "api_keys"), `permission "FlyToMars" is unknown and grants nothing`) != 1 {
			t.Errorf("FlyToMars is not told: %+v", table(t, report, "api_keys").Adapted)
		}

		first := user(t, st, "Bob")
		if first.ID != legacyUser || *first.Email != "bob@example.org" || !first.EmailVerified || first.LastLogin.Nanosecond() != 5e8 {
			t.Errorf("Bob: %+v", first)
		}
		kept := details(t, st, legacyUser)
		sameJSON(t, "Bob's details", kept["user "+legacyUser.String()], `{"legacy_id":"bob-the-first","legacy_avatar_base64":"/w=="}`)
		key := apiKey(t, st, hashOf("1"))
		sameJSON(t, "permissions", key.Permissions, `["ViewNeuron"]`)
		sameJSON(t, "key's details", kept["api_key "+key.ID.String()], `{"legacy_id":"key 1","legacy_user_id":"bob-the-first","legacy_permissions":"[\"ViewNeuron\",\"FlyToMars\",\"ViewNeuron\"]"}`)
		sameJSON(t, "session's details", kept["session "+numbered(201)], `{"legacy_user_id":"bob-the-first","legacy_user_agent_base64":"/w=="}`)

		second := user(t, st, "bob")
		if second.Email != nil || second.EmailVerified || second.IsActive || second.Role != "Overlord" {
			t.Errorf("bob: %+v", second)
		}
		sameJSON(t, "bob's details", details(t, st, second.ID)["user "+second.ID.String()], `{"legacy_is_active":"maybe","legacy_email":"bob@example.org","legacy_email_verified":1}`)
		if k := apiKey(t, st, hashOf("2")); k.IsActive || string(k.Permissions) != "[]" || k.ExpiresAt != nil || k.Name == "" {
			t.Errorf("a key with an end that cannot be read: %+v", k)
		}
		eve := user(t, st, "eve")
		if eve.Role != "admin" || eve.PasswordHash != "" || eve.Email != nil {
			t.Errorf("eve: %+v", eve)
		}
		again := imported(t, path, st, transfer.Options{})
		wantCounts(t, table(t, again, "users"), 5, 0, 3, 2)
		wantCounts(t, table(t, again, "api_keys"), 6, 0, 3, 3)
		if again.Epoch != 0 || !reflect.DeepEqual(kept, details(t, st, legacyUser)) || user(t, st, "bob").Version != second.Version {
			t.Error("the second import changed something")
		}
	})
}

func wantReason(t *testing.T, r *transfer.TableReport, id, words string) {
	t.Helper()
	for _, s := range r.SkippedRows {
		if s.ID == id && strings.Contains(s.Reason, words) {
			return
		}
	}
	t.Errorf("%s of %s was not skipped because %q: %+v", id, r.Table, words, r.SkippedRows)
}

// What the target holds under the same names is left alone, and told.
func TestConflictsWithTheTarget(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		email := "taken@example.org"
		now := time.Now()
		for n, name := range []string{"admin", "owner"} {
			arg := model.UserInsertParams{ID: model.LegacyID("test", name), Username: name, PasswordHash: "kept", Role: "admin", IsActive: true, CreatedAt: now, UpdatedAt: now}
			if n == 1 {
				arg.Email = &email
			}
			if _, err := st.UserInsert(t.Context(), arg); err != nil {
				t.Fatal(err)
			}
		}
		source := newSource(t, looseAccounts)
		for n := range 20 {
			source.user(t, values{"id": numbered(n + 10), "username": fmt.Sprintf("u%d", n)})
		}
		source.user(t, values{"id": numbered(1), "username": "admin"})
		source.user(t, values{"id": numbered(2), "username": "late", "email": email, "email_verified": 1})
		source.apiKey(t, nil)
		path := source.done(t)
		for _, dry := range []bool{true, false} {
			report := imported(t, path, st, transfer.Options{DryRun: dry})
			wantCounts(t, table(t, report, "users"), 22, 21, 0, 1)
			wantReason(t, table(t, report, "users"), numbered(1), "username is that of another user here")
			wantReason(t, table(t, report, "api_keys"), numbered(101), "a user who was not imported")
			if got := field(t, table(t, report, "users"), "email"); len(got.KeptElsewhere) != 1 || got.KeptElsewhere[0].Rows != 1 {
				t.Errorf("email: %+v", got)
			}
		}
		if user(t, st, "admin").PasswordHash != "kept" || *user(t, st, "owner").Email != email {
			t.Error("a user of the target was changed")
		}
		late := user(t, st, "late")
		sameJSON(t, "details", details(t, st, late.ID)["user "+late.ID.String()], `{"legacy_email":"taken@example.org","legacy_email_verified":1}`)
	})
}

func field(t *testing.T, r *transfer.TableReport, column string) transfer.FieldReport {
	t.Helper()
	for _, f := range r.Fields {
		if f.Column == column {
			return f
		}
	}
	t.Fatalf("no column %q in the report of %s", column, r.Table)
	return transfer.FieldReport{}
}
