package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

// void is a way in which a credential ends: end is done by its owner's newest session,
// or by an admin.
type void struct {
	name string
	end  func(s *harness, owner testUser, admin []string, token, key string)
	// token and key say which of the two is void afterwards.
	token, key bool
}

func voids() []void {
	own := func(s *harness, u testUser) []string { return bearer(s.login(u).AccessToken) }
	idOf := func(s *harness, list string, headers []string) string {
		return data[[]struct{ ID string }](s.ask("GET", list, "", headers...).want(200))[0].ID
	}
	return []void{
		{"logged out", func(s *harness, _ testUser, _ []string, token, _ string) {
			s.ask("POST", "/api/v1/auth/logout", "", bearer(token)...).want(200)
		}, true, false},
		{"all sessions ended", func(s *harness, u testUser, _ []string, _, _ string) {
			s.ask("DELETE", "/api/v1/auth/sessions", "", own(s, u)...).want(200)
		}, true, false},
		{"session revoked by an admin", func(s *harness, u testUser, admin []string, _, _ string) {
			sessions := "/api/v1/users/" + u.id.String() + "/sessions"
			s.ask("DELETE", sessions+"/"+idOf(s, sessions, admin), "", admin...).want(200)
		}, true, false},
		{"password changed", func(s *harness, u testUser, _ []string, _, _ string) {
			s.ask("PUT", "/api/v1/auth/password", `{"old_password":"`+testPassword+`","new_password":"another one"}`, own(s, u)...).want(200)
		}, true, false},
		{"password set by an admin", func(s *harness, u testUser, admin []string, _, _ string) {
			s.ask("PUT", "/api/v1/users/"+u.id.String()+"/password", `{"password":"another one"}`, admin...).want(200)
		}, true, false},
		{"key revoked", func(s *harness, u testUser, _ []string, _, _ string) {
			headers := own(s, u)
			s.ask("PUT", "/api/v1/auth/api-keys/"+idOf(s, "/api/v1/auth/api-keys", headers), "", headers...).want(200)
		}, false, true},
		{"key deleted by an admin", func(s *harness, u testUser, admin []string, _, _ string) {
			keys := "/api/v1/users/" + u.id.String() + "/api-keys"
			s.ask("DELETE", keys+"/"+idOf(s, keys, admin), "", admin...).want(200)
		}, false, true},
		{"user made inactive", func(s *harness, u testUser, admin []string, _, _ string) {
			s.ask("PATCH", "/api/v1/users/"+u.id.String(), `{"is_active":false}`, admin...).want(200)
		}, true, true},
		{"user deleted", func(s *harness, u testUser, admin []string, _, _ string) {
			s.ask("DELETE", "/api/v1/users/"+u.id.String(), "", admin...).want(200)
		}, true, true},
	}
}

// A credential that has ended opens no route that looks at one, in either mode, whether or
// not it was used on that route before and is remembered; and what is left of the two goes
// on working.
func TestVoidCredentials(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		engine, mode string
		warm         bool
	}{
		{sqliteEngine, server.AuthOpen, true},
		{sqliteEngine, server.AuthRequired, false},
		{sqliteEngine, server.AuthRequired, true},
		{postgresEngine, server.AuthRequired, true},
	} {
		t.Run(fmt.Sprintf("%s, %s mode, warm %t", c.engine, c.mode, c.warm), func(t *testing.T) {
			t.Parallel()
			testVoidCredentials(t, newServer(t, c.engine, inMode(c.mode)), c.warm)
		})
	}
}

func testVoidCredentials(t *testing.T, s *harness, warm bool) {
	t.Helper()
	table := accessTable()
	admin := []string{"X-API-Key", s.key(s.user("root", auth.RoleAdmin))}
	for i, v := range voids() {
		u := s.user("ann-"+string(rune('a'+i)), auth.RoleAdmin)
		token, key := s.login(u).AccessToken, s.key(u)
		credentials := []struct {
			headers []string
			void    bool
		}{{bearer(token), v.token}, {[]string{"X-API-Key", key}, v.key}}
		if warm {
			for _, c := range credentials {
				for range 2 {
					s.ask("GET", "/api/v1/auth/profile", "", c.headers...).want(200)
				}
			}
		}
		v.end(s, u, admin, token, key)
		for _, c := range credentials {
			if !c.void {
				s.ask("GET", "/api/v1/auth/profile", "", c.headers...).want(200)
				continue
			}
			for _, route := range s.server.Routes() {
				r := s.call(route, c.headers...)
				if table[route].public {
					if r.status == http.StatusUnauthorized && !strings.HasSuffix(route, "/login") && !strings.HasSuffix(route, "/refresh") {
						t.Errorf("%s: %s looks at the credential: %s", v.name, route, r.body)
					}
				} else if r.status != http.StatusUnauthorized {
					t.Errorf("%s: %s answers %d: %s", v.name, route, r.status, r.body)
				}
			}
		}
	}
}

// Of what belongs to one user, every route that names it by an id tells all others, an
// admin too, that it is not there: in the words in which it tells so of what is not there,
// whether or not its owner has just had it read into the cache.
func TestOwnThingsFromTheRoutes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const none = "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"
		ann := s.user("ann", auth.RoleUser)
		owner := bearer(s.login(ann).AccessToken)
		s.key(ann)
		others := map[string][]string{}
		for name, role := range map[string]string{"bob": auth.RoleUser, "eve": auth.RoleGuest, "root": auth.RoleAdmin} {
			others[name] = bearer(s.login(s.user(name, role)).AccessToken)
		}
		bob := s.user("bob2", auth.RoleUser)
		found := 0
		for _, route := range s.server.Routes() {
			method, path, _ := strings.Cut(route, " ")
			mine := strings.HasPrefix(path, "/api/v1/auth/") && strings.Contains(path, ":id")
			owned := strings.Contains(path, ":owned_id")
			if !mine && !owned {
				continue
			}
			found++
			list := path[:strings.LastIndex(path, "/:")]
			if owned { // by way of another user's id
				list = "/api/v1/auth/" + list[strings.LastIndex(list, "/")+1:]
			}
			id := data[[]struct{ ID string }](s.ask("GET", list, "", owner...).want(200))[0].ID
			address := func(id string) string {
				if owned {
					return strings.NewReplacer(":id", bob.id.String(), ":owned_id", id).Replace(path)
				}
				return strings.Replace(path, ":id", id, 1)
			}
			for name, who := range others {
				if owned && name != "root" {
					continue
				}
				for _, warm := range []bool{false, true} {
					if warm {
						s.ask("GET", list, "", owner...).want(200, id)
					}
					got := s.ask(method, address(id), "", who...).problem(404)
					if absent := s.ask(method, address(none), "", who...).problem(404); absent.body != got.body {
						t.Errorf("%s: %s learns that it exists:\n%s\n%s", route, name, got.body, absent.body)
					}
				}
			}
			s.ask("GET", list, "", owner...).want(200, id)
		}
		if found < 6 {
			t.Errorf("only %d routes have an owner", found)
		}
	})
}
