package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
)

// act is what a privileged route does to a user who was made for it: the request, and the
// entry that the audit log must have of it.
type act struct {
	body, action, resource string
	// by is who does it: "root", who has the key, the user himself, or nobody.
	by string
}

const newPassword = `{"password":"another one"}`

// acts are the privileged acts by their routes. What a route of this kind does and is not
// in here fails the test.
func acts() map[string]act {
	return map[string]act{
		"POST /api/v1/auth/register":                  {`{"username":"newcomer","password":"` + testPassword + `"}`, "user.register", "user", ""},
		"POST /api/v1/auth/login":                     {"", "login", "session", ""},
		"POST /api/v1/auth/logout":                    {"", "logout", "session", "self"},
		"PUT /api/v1/auth/password":                   {`{"old_password":"` + testPassword + `","new_password":"another one"}`, "password.change", "user", "self"},
		"PUT /api/v1/auth/profile":                    {`{"email":"ann@example.org"}`, "profile.update", "user", "self"},
		"POST /api/v1/auth/profile/delete":            {`{"password":"` + testPassword + `"}`, "user.delete", "user", "self"},
		"DELETE /api/v1/auth/sessions":                {"", "session.revoke_all", "user", "self"},
		"DELETE /api/v1/auth/sessions/:id":            {"", "session.revoke", "session", "self"},
		"POST /api/v1/auth/api-keys":                  {`{"name":"k"}`, "api_key.create", "api_key", "self"},
		"PUT /api/v1/auth/api-keys/:id":               {"", "api_key.revoke", "api_key", "self"},
		"DELETE /api/v1/auth/api-keys/:id":            {"", "api_key.delete", "api_key", "self"},
		"DELETE /api/v1/neurons/:id":                  {"", "neuron.delete", "neuron", "root"},
		"POST /api/v1/users":                          {`{"username":"made","password":"` + testPassword + `"}`, "user.create", "user", "root"},
		"PATCH /api/v1/users/:id":                     {`{"role":"guest"}`, "user.update", "user", "root"},
		"DELETE /api/v1/users/:id":                    {"", "user.delete", "user", "root"},
		"PUT /api/v1/users/:id/password":              {newPassword, "password.change", "user", "root"},
		"DELETE /api/v1/users/:id/sessions/:owned_id": {"", "session.revoke", "session", "root"},
		"PUT /api/v1/users/:id/api-keys/:owned_id":    {"", "api_key.revoke", "api_key", "root"},
		"DELETE /api/v1/users/:id/api-keys/:owned_id": {"", "api_key.delete", "api_key", "root"},
	}
}

// silent are routes that change something of an account and leave no entry of their own.
func silent() map[string]string {
	return map[string]string{
		"POST /api/v1/auth/refresh": "a client does it every quarter of an hour; what is odd about it is noted as refresh_token.reuse",
	}
}

// Every privileged act that succeeds leaves one entry: who, what, to which thing, from
// where. A user agent that looks like an entry makes none.
func TestAuditFromTheRoutes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const forged = "x\",\"action\":\"user.delete\",\"x\":\"\u2028{\"action\":\"forged\"}"
		root := s.user("root", auth.RoleAdmin)
		admin := []string{"X-API-Key", s.key(root)}
		table, done := accessTable(), 0
		for _, route := range s.server.Routes() {
			method, path, _ := strings.Cut(route, " ")
			row := table[route]
			account := row.public && strings.HasPrefix(path, "/api/v1/auth/")
			if method == http.MethodGet || method == http.MethodHead || row.nobodyOpen != http.StatusUnauthorized && !account {
				continue
			}
			a, known := acts()[route]
			if !known {
				if silent()[route] == "" {
					t.Errorf("%s is a privileged act, and nobody says what the audit log must have of it", route)
				}
				continue
			}
			done++
			ann := s.user("ann-"+string(rune('a'+done)), auth.RoleUser)
			self := bearer(s.login(ann).AccessToken)
			s.key(ann)
			ids := strings.NewReplacer()
			if strings.Contains(path, ":id") {
				list := "/api/v1/auth/sessions"
				if strings.Contains(path, "api-keys") {
					list = "/api/v1/auth/api-keys"
				}
				own := data[[]struct{ ID string }](s.ask("GET", list, "", self...).want(200))[0].ID
				ids = strings.NewReplacer(":owned_id", own, ":id", own)
				switch {
				case strings.Contains(path, "/users/:id"):
					ids = strings.NewReplacer(":owned_id", own, ":id", ann.id.String())
				case strings.Contains(path, "/neurons/:id"):
					ids = strings.NewReplacer(":id", "neuron-l1")
				}
			}
			body := a.body
			if a.action == "login" {
				body = `{"username":"` + ann.name + `","password":"` + testPassword + `"}`
			}
			before := s.audited(admin)
			headers := map[string][]string{"root": admin, "self": self, "": nil}[a.by]
			r := s.ask(method, ids.Replace(path), body, append([]string{"User-Agent", forged}, headers...)...)
			if r.status/100 != 2 {
				t.Errorf("%s: %d %s", route, r.status, r.body)
				continue
			}
			entries := s.audited(admin)
			fresh := entries[:len(entries)-len(before)]
			if len(fresh) != 1 {
				t.Errorf("%s left %d entries: %+v", route, len(fresh), fresh)
				continue
			}
			e := fresh[0]
			if e.Action != a.action || e.ResourceType != a.resource || e.ResourceID == nil || e.IPAddress == nil || *e.IPAddress != "127.0.0.1" || e.UserAgent == nil || *e.UserAgent != forged {
				t.Errorf("%s: %+v, want %s of a %s from 127.0.0.1 by %q", route, e, a.action, a.resource, forged)
			}
			switch who := map[string]string{"root": root.id.String(), "self": ann.id.String()}[a.by]; {
			case a.action == "user.delete" && a.by == "self": // who is gone is nobody
			case who != "" && (e.UserID == nil || *e.UserID != who):
				t.Errorf("%s: by %v, want %s", route, e.UserID, a.by)
			}
		}
		if done != len(acts()) {
			t.Errorf("%d of %d acts have a route", done, len(acts()))
		}
	})
}

type audited struct {
	UserID       *string `json:"user_id"`
	Action       string
	ResourceType string  `json:"resource_type"`
	ResourceID   *string `json:"resource_id"`
	IPAddress    *string `json:"ip_address"`
	UserAgent    *string `json:"user_agent"`
}

// audited is the audit log, the newest first.
func (s *harness) audited(admin []string) []audited {
	s.t.Helper()
	return decode[list[audited]](s.ask("GET", "/api/v1/audit?limit=1000", "", admin...).want(200)).Data
}
