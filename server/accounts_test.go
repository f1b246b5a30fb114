package server_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
)

func TestAccountLife(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		ann := `{"username":"ann","password":"` + testPassword + `"}`
		made := s.ask("POST", "/api/v1/auth/register", ann).want(200, `"username":"ann"`, `"email":null`, `"role":"user"`, `"is_active":true`, `"created_at"`)
		if strings.Contains(made.body, "hash") || strings.Contains(made.body, testPassword) {
			t.Errorf("too much is told: %s", made.body)
		}
		s.ask("POST", "/api/v1/auth/register", ann).problem(409, "username")
		first := data[grant](s.ask("POST", "/api/v1/auth/login", ann).want(200))
		if first.TokenType != "Bearer" || first.ExpiresIn != 900 || first.User.Username != "ann" || first.RefreshToken == "" {
			t.Errorf("login: %+v", first)
		}
		unknown := s.ask("POST", "/api/v1/auth/login", `{"username":"nobody","password":"whatever"}`).problem(401)
		wrong := s.ask("POST", "/api/v1/auth/login", `{"username":"ann","password":"whatever"}`).problem(401)
		if unknown.body != wrong.body {
			t.Errorf("an unknown user is told apart:\n%s\n%s", unknown.body, wrong.body)
		}

		second := data[grant](s.ask("POST", "/api/v1/auth/refresh", `{"refresh_token":"`+first.RefreshToken+`"}`).want(200))
		s.ask("GET", "/api/v1/auth/profile", "", bearer(first.AccessToken)...).problem(401)
		token := bearer(second.AccessToken)
		s.ask("GET", "/api/v1/auth/profile", "", token...).want(200, `"username":"ann"`)
		s.ask("PUT", "/api/v1/auth/profile", `{"username":"anna","email":"anna@example.org"}`, token...).want(200, "anna@example.org")
		s.ask("PUT", "/api/v1/auth/profile", `{"email":"no address"}`, token...).problem(422, "email")
		s.ask("PUT", "/api/v1/auth/profile", `{"email":""}`, token...).want(200, `"email":null`)

		s.ask("PUT", "/api/v1/auth/password", `{"old_password":"wrong one","new_password":"a new password"}`, token...).problem(401)
		s.ask("PUT", "/api/v1/auth/password", `{"old_password":"`+testPassword+`","new_password":"short"}`, token...).problem(422, "new_password")
		s.ask("PUT", "/api/v1/auth/password", `{"old_password":"`+testPassword+`","new_password":"a new password"}`, token...).want(200, "log in again")
		s.ask("GET", "/api/v1/auth/profile", "", token...).problem(401)
		s.ask("POST", "/api/v1/auth/refresh", `{"refresh_token":"`+second.RefreshToken+`"}`).problem(401)

		third := data[grant](s.ask("POST", "/api/v1/auth/login", `{"username":"anna","password":"a new password"}`).want(200))
		s.ask("POST", "/api/v1/auth/logout", "", bearer(third.AccessToken)...).want(200, `"sessions_ended":1`)
		s.ask("GET", "/api/v1/auth/profile", "", bearer(third.AccessToken)...).problem(401)
		fourth := bearer(data[grant](s.ask("POST", "/api/v1/auth/login", `{"username":"anna","password":"a new password"}`).want(200)).AccessToken)
		s.ask("POST", "/api/v1/auth/profile/delete", `{"password":"wrong one"}`, fourth...).problem(401)
		s.ask("POST", "/api/v1/auth/profile/delete", `{"password":"a new password"}`, fourth...).want(200)
		s.ask("POST", "/api/v1/auth/login", `{"username":"anna","password":"a new password"}`).problem(401)
	})
}

// What a client must not set is refused, not passed over.
func TestPrivilegedFieldsAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	token := bearer(s.login(s.user("ann", auth.RoleUser)).AccessToken)
	for _, field := range []string{`"role":"admin"`, `"is_active":true`, `"id":"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"`, `"email_verified":true`, `"password_hash":"x"`} {
		s.ask("POST", "/api/v1/auth/register", `{"username":"eve","password":"`+testPassword+`",`+field+`}`).problem(422, "unexpected")
		s.ask("PUT", "/api/v1/auth/profile", `{`+field+`}`, token...).problem(422, "unexpected")
	}
	s.ask("POST", "/api/v1/auth/api-keys", `{"name":"k","user_id":"x"}`, token...).problem(422, "unexpected")
	s.ask("POST", "/api/v1/auth/login", `{"username":"eve","password":"`+testPassword+`"}`).problem(401)
}

type keyAnswer struct {
	ID, Key, Name string
	Permissions   []string
	IsActive      bool `json:"is_active"`
}

func TestAPIKeyLife(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const path = "/api/v1/auth/api-keys"
		token := bearer(s.login(s.user("ann", auth.RoleUser)).AccessToken)
		made := data[keyAnswer](s.ask("POST", path, `{"name":"report","permissions":["ViewSignals","ManageApiKeys"]}`, token...).want(201))
		withKey := []string{"X-API-Key", made.Key}
		s.ask("GET", "/api/v1/signals", "", withKey...).want(200)
		s.ask("GET", "/api/v1/neurons", "", withKey...).problem(403, "ViewNeuron")
		if r := s.ask("GET", path, "", token...).want(200, made.ID); strings.Contains(r.body, made.Key) || strings.Contains(r.body, "hash") {
			t.Errorf("the list tells the key: %s", r.body)
		}
		// No more than the key has itself, nor than the user.
		s.ask("POST", path, `{"name":"more","permissions":["ViewNeuron"]}`, withKey...).problem(422, "ViewNeuron")
		s.ask("POST", path, `{"name":"more","permissions":["SystemAdmin"]}`, token...).problem(422, "SystemAdmin")
		s.ask("POST", path, `{"name":"more","permissions":["Everything"]}`, token...).problem(422, "unknown scope")
		s.ask("POST", path, `{"name":"late","expires_at":"2001-01-01T00:00:00Z"}`, token...).problem(422, "expires_at")
		least := data[keyAnswer](s.ask("POST", path, `{"name":"same"}`, withKey...).want(201))
		if len(least.Permissions) != 2 {
			t.Errorf("a key made with a key has %q", least.Permissions)
		}

		s.ask("PUT", path+"/"+made.ID, "", token...).want(200, `"is_active":false`)
		s.ask("GET", "/api/v1/signals", "", withKey...).problem(401)
		s.ask("DELETE", path+"/"+made.ID, "", token...).want(200)
		s.ask("DELETE", path+"/"+made.ID, "", token...).problem(404)
		soon := s.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		brief := data[keyAnswer](s.ask("POST", path, `{"name":"brief","expires_at":"`+soon+`"}`, token...).want(201))
		s.ask("GET", "/api/v1/signals", "", "X-API-Key", brief.Key).want(200)
		s.clock.Advance(2 * time.Hour)
		s.ask("GET", "/api/v1/signals", "", "X-API-Key", brief.Key).problem(401)
	})
}

// Another's session or key does not exist, whoever asks; admins reach them by the
// routes for admins alone.
func TestObjectAccess(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		ann := s.user("ann", auth.RoleUser)
		anns := s.login(ann)
		s.key(ann)
		sessions, keys := "/api/v1/auth/sessions/", "/api/v1/auth/api-keys/"
		session := data[[]struct{ ID string }](s.ask("GET", sessions[:len(sessions)-1], "", bearer(anns.AccessToken)...).want(200))[0].ID
		key := data[[]keyAnswer](s.ask("GET", keys[:len(keys)-1], "", bearer(anns.AccessToken)...).want(200))[0].ID
		none := "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"
		for _, other := range []testUser{s.user("bob", auth.RoleUser), s.user("eve", auth.RoleGuest), s.user("root", auth.RoleAdmin)} {
			token := bearer(s.login(other).AccessToken)
			for _, r := range []struct{ method, path, id string }{
				{"DELETE", sessions, session}, {"DELETE", keys, key}, {"PUT", keys, key},
			} {
				got := s.ask(r.method, r.path+r.id, "", token...).problem(404)
				if absent := s.ask(r.method, r.path+none, "", token...).problem(404); absent.body != got.body {
					t.Errorf("%s learns that it exists:\n%s\n%s", other.name, got.body, absent.body)
				}
			}
		}
		s.ask("GET", "/api/v1/auth/profile", "", bearer(anns.AccessToken)...).want(200) // nothing happened to it

		root := bearer(data[grant](s.ask("POST", "/api/v1/auth/login", `{"username":"root","password":"`+testPassword+`"}`).want(200)).AccessToken)
		of := "/api/v1/users/" + ann.id.String()
		s.ask("GET", of+"/sessions", "", root...).want(200, session)
		s.ask("GET", of+"/api-keys", "", root...).want(200, key)
		s.ask("PUT", of+"/api-keys/"+key, "", root...).want(200, `"is_active":false`)
		s.ask("DELETE", of+"/api-keys/"+key, "", root...).want(200)
		// By another user's id it is not found.
		s.ask("DELETE", "/api/v1/users/"+none+"/sessions/"+session, "", root...).problem(404)
		s.ask("GET", "/api/v1/users/"+none+"/sessions", "", root...).problem(404)
		s.ask("DELETE", of+"/sessions/"+session, "", root...).want(200)
		s.ask("GET", "/api/v1/auth/profile", "", bearer(anns.AccessToken)...).problem(401)
	})
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	ann := s.user("ann", auth.RoleUser)
	one, two := bearer(s.login(ann).AccessToken), bearer(s.login(ann).AccessToken)
	list := data[[]struct {
		ID      string
		Current bool
	}](s.ask("GET", "/api/v1/auth/sessions", "", one...).want(200))
	if len(list) != 2 || list[0].Current == list[1].Current {
		t.Fatalf("sessions %+v", list)
	}
	for _, l := range list {
		if !l.Current {
			s.ask("DELETE", "/api/v1/auth/sessions/"+l.ID, "", one...).want(200)
		}
	}
	s.ask("GET", "/api/v1/auth/profile", "", two...).problem(401)
	s.ask("GET", "/api/v1/auth/profile", "", one...).want(200)
	s.login(ann)
	s.ask("DELETE", "/api/v1/auth/sessions", "", one...).want(200, `"sessions_ended":2`)
	s.ask("GET", "/api/v1/auth/profile", "", one...).problem(401)
}

func TestRegistrationFollowsTheMode(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, inMode(server.AuthRequired), func(d *server.Deps) {
		closed, err := auth.New(auth.Config{Store: d.Store, RegistrationClosed: true})
		if err != nil {
			t.Fatal(err)
		}
		d.Auth = closed
	})
	s.ask("POST", "/api/v1/auth/register", `{"username":"ann","password":"correct horse"}`).problem(403, "ask an admin")
}

// Guessing is answered 429 with the time to wait, before the right password too: with a
// cache server, without one, and while it is away.
func TestGuessing(t *testing.T) {
	t.Parallel()
	const nobody = "redis://127.0.0.1:1" // no service has this port
	for name, cacheURL := range map[string]string{"none": "", "up": testenv.CacheURL(t), "away": nobody} {
		t.Run("cache server "+name, func(t *testing.T) {
			t.Parallel()
			s := newServerOn(t, openStoreAt(t, migrated.SQLiteDatabase(t), func(c *store.Config) {
				c.Cache.URL, c.Cache.Prefix = cacheURL, "test-"+rand.Text()+":"
			}))
			s.user("ann", auth.RoleUser)
			for i := range 10 {
				s.ask("POST", "/api/v1/auth/login", fmt.Sprintf(`{"username":"ann","password":"guess %d"}`, i)).problem(401)
			}
			r := s.ask("POST", "/api/v1/auth/login", `{"username":"ann","password":"`+testPassword+`"}`).problem(429, "Retry-After")
			if after := r.header.Get("Retry-After"); after != "90" {
				t.Errorf("Retry-After %q", after)
			}
			s.clock.Advance(90 * time.Second)
			s.ask("POST", "/api/v1/auth/login", `{"username":"ann","password":"`+testPassword+`"}`).want(200)
		})
	}
}

// JSON Schema counts characters, and the limit of passwords is in bytes: the document says so.
func TestPasswordLimitIsInBytes(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for length, status := range map[int]int{512: 200, 513: 422} {
		body := fmt.Sprintf(`{"username":"n%d","password":"%s"}`, length, strings.Repeat("ñ", length))
		if r := s.ask("POST", "/api/v1/auth/register", body); r.status != status {
			t.Errorf("%d characters of two bytes: %d, want %d", length, r.status, status)
		}
	}
	document := s.ask("GET", "/openapi.json", "").want(200)
	told := 0
	for _, schema := range decode[struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Format, Description string }
			}
		}
	}](document).Components.Schemas {
		for name, p := range schema.Properties {
			if told++; p.Format == "password" && !strings.Contains(p.Description, "1,024 bytes") {
				t.Errorf("%s is told as %q", name, p.Description)
			}
		}
	}
	if told == 0 {
		t.Error("the document has no schemas")
	}
}
