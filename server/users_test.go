package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
)

type userAnswer struct {
	ID, Username, Role string
	IsActive           bool `json:"is_active"`
}

func TestUsers(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		root := s.user("root", auth.RoleAdmin)
		admin := bearer(s.login(root).AccessToken)
		made := s.ask("POST", "/api/v1/users", `{"username":"bob","password":"`+testPassword+`","role":"guest","email":"bob@example.org"}`, admin...).want(201)
		bob := data[userAnswer](made)
		if bob.Role != "guest" || made.header.Get("Location") != "/api/v1/users/"+bob.ID {
			t.Errorf("made %+v at %q", bob, made.header.Get("Location"))
		}
		s.ask("POST", "/api/v1/users", `{"username":"bob","password":"`+testPassword+`"}`, admin...).problem(409, "username")
		s.ask("POST", "/api/v1/users", `{"username":"x","password":"`+testPassword+`","role":"king"}`, admin...).problem(422, "body.role")
		one := "/api/v1/users/" + bob.ID
		s.ask("GET", one, "", admin...).want(200, "bob@example.org")

		token := bearer(s.login(testUser{name: "bob"}).AccessToken)
		s.ask("PATCH", one, `{"role":"user"}`, admin...).want(200, `"role":"user"`)
		s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L4"}`, token...).want(200) // at once
		s.ask("PUT", one+"/password", `{"password":"another one"}`, admin...).want(200)
		s.ask("GET", "/api/v1/auth/profile", "", token...).problem(401)
		s.ask("PATCH", one, `{"is_active":false}`, admin...).want(200, `"is_active":false`)
		s.ask("POST", "/api/v1/auth/login", `{"username":"bob","password":"another one"}`).problem(401)
		s.ask("DELETE", one, "", admin...).want(200)
		s.ask("GET", one, "", admin...).problem(404)
		s.ask("PUT", one+"/password", `{"password":"another one"}`, admin...).problem(404)

		for _, r := range []response{
			s.ask("PATCH", "/api/v1/users/"+root.id.String(), `{"role":"user"}`, admin...),
			s.ask("PATCH", "/api/v1/users/"+root.id.String(), `{"is_active":false}`, admin...),
			s.ask("DELETE", "/api/v1/users/"+root.id.String(), "", admin...),
			s.ask("POST", "/api/v1/auth/profile/delete", `{"password":"`+testPassword+`"}`, admin...),
		} {
			if r.problem(409, "last active admin"); strings.Contains(r.body, "already exists") {
				t.Errorf("a strange reason: %s", r.body)
			}
		}
		s.ask("GET", "/api/v1/roles", "", admin...).want(200, `"role":"guest"`, "SystemAdmin")
	})
}

func TestUserPages(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	admin := bearer(s.login(s.user("root", auth.RoleAdmin)).AccessToken)
	for _, name := range []string{"a", "b", "c"} {
		s.user(name, auth.RoleGuest)
	}
	var names []string
	for path := "/api/v1/users?limit=3"; ; {
		p := decode[list[userAnswer]](s.ask("GET", path, "", admin...).want(200))
		for _, u := range p.Data {
			names = append(names, u.Username)
		}
		if p.NextCursor == nil {
			break
		}
		path = "/api/v1/users?limit=3&cursor=" + *p.NextCursor
	}
	if strings.Join(names, " ") != "a b c root" {
		t.Errorf("users %q", names)
	}
}

// A key that manages users alone does not become more by way of them.
func TestManagersStayBelowAdmins(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	root := s.user("root", auth.RoleAdmin)
	guest := s.user("guest", auth.RoleGuest)
	key := []string{"X-API-Key", s.key(root, auth.ScopeManageUsers, auth.ScopeViewNeuron, auth.ScopeViewSignals, auth.ScopeViewMemory, auth.ScopeViewMetrics)}
	one := "/api/v1/users/" + root.id.String()
	s.ask("POST", "/api/v1/users", `{"username":"x","password":"`+testPassword+`","role":"admin"}`, key...).problem(403, "admin")
	s.ask("PATCH", "/api/v1/users/"+guest.id.String(), `{"role":"admin"}`, key...).problem(403)
	s.ask("PUT", one+"/password", `{"password":"another one"}`, key...).problem(403)
	s.ask("PATCH", one, `{"is_active":false}`, key...).problem(403)
	s.ask("DELETE", one, "", key...).problem(403)
	// Nor what he has: an admin whose keys are gone is shut out, too.
	s.login(root)
	admin := []string{"X-API-Key", s.key(root)}
	sessions := data[[]struct{ ID string }](s.ask("GET", one+"/sessions", "", key...).want(200))
	keys := data[[]struct{ ID string }](s.ask("GET", one+"/api-keys", "", key...).want(200))
	s.ask("DELETE", one+"/sessions/"+sessions[0].ID, "", key...).problem(403, "admin")
	s.ask("PUT", one+"/api-keys/"+keys[0].ID, "", key...).problem(403, "admin")
	s.ask("DELETE", one+"/api-keys/"+keys[0].ID, "", key...).problem(403, "admin")
	s.ask("GET", one, "", admin...).want(200)
	s.ask("POST", "/api/v1/users", `{"username":"x","password":"`+testPassword+`","role":"guest"}`, key...).want(201)
	s.ask("PUT", "/api/v1/users/"+guest.id.String()+"/password", `{"password":"another one"}`, key...).want(200)
	s.login(root)
}

type auditAnswer struct {
	Action     string
	ResourceID string  `json:"resource_id"`
	UserID     *string `json:"user_id"`
	IP         string  `json:"ip_address"`
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		root := s.user("root", auth.RoleAdmin)
		admin := bearer(s.login(root).AccessToken)
		s.ask("DELETE", "/api/v1/neurons/none", "", admin...).problem(404)
		s.ask("DELETE", neuronPath, "", admin...).want(200)
		s.clock.Advance(time.Second)
		middle := s.clock.Now().UTC().Format(time.RFC3339Nano)
		s.clock.Advance(time.Second)
		key := s.key(root)
		get := func(query string) []auditAnswer {
			t.Helper()
			var all []auditAnswer
			for path := "/api/v1/audit?limit=2&" + query; ; {
				p := decode[list[auditAnswer]](s.ask("GET", path, "", "X-API-Key", key).want(200))
				all = append(all, p.Data...)
				if p.NextCursor == nil {
					return all
				}
				path = "/api/v1/audit?limit=2&" + query + "&cursor=" + *p.NextCursor
			}
		}
		acts := func(query string) string {
			t.Helper()
			var names []string
			for _, a := range get(query) {
				names = append(names, a.Action)
			}
			return strings.Join(names, " ")
		}
		for query, want := range map[string]string{
			"":                                     "api_key.create neuron.delete login user.create",
			"action=neuron.delete":                 "neuron.delete",
			"resource_type=user":                   "user.create",
			"resource_id=neuron-l4":                "neuron.delete",
			"user_id=" + root.id.String():          "api_key.create neuron.delete login",
			"since=" + middle:                      "api_key.create",
			"until=" + middle:                      "neuron.delete login user.create",
			"until=" + middle + "&action=login":    "login",
			"since=" + middle + "&until=" + middle: "",
		} {
			if got := acts(query); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		deleted := get("action=neuron.delete")[0]
		if deleted.UserID == nil || *deleted.UserID != root.id.String() || deleted.ResourceID != "neuron-l4" || deleted.IP != "127.0.0.1" {
			t.Errorf("the entry is %+v", deleted)
		}
		s.ask("GET", "/api/v1/audit?since=2030-01-01T00:00:00Z&until=2020-01-01T00:00:00Z", "", "X-API-Key", key).problem(422, "since")
		if all := s.ask("GET", "/api/v1/audit?until=0001-01-01T00:00:00Z", "", "X-API-Key", key).want(200); !strings.Contains(all.body, `"data":[]`) {
			t.Errorf("acts before the year 1: %s", all.body)
		}
		s.ask("GET", "/api/v1/audit?user_id=x", "", "X-API-Key", key).problem(422, "user_id")
		s.ask("GET", "/api/v1/audit?cursor=x", "", "X-API-Key", key).problem(422, "cursor")
	})
}
