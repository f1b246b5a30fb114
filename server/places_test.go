package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// A fault is told by its place in the request, whoever found it: the schema, the
// accounts or the database.
func TestPlacesOfFaults(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		root := s.user("root", auth.RoleAdmin)
		ann := s.user("ann", auth.RoleUser)
		admin, user := bearer(s.login(root).AccessToken), bearer(s.login(ann).AccessToken)
		key := bearer(data[struct{ Key string }](s.ask("POST", "/api/v1/auth/api-keys", `{"name":"k","expires_at":"`+s.clock.Now().AddDate(0, 0, 1).Format("2006-01-02")+`T00:00:00Z"}`, user...).want(201)).Key)
		const password = `"password":"` + testPassword + `"`
		s.ask("POST", "/api/v1/users", `{"username":"bob",`+password+`,"email":"bob@example.org"}`, admin...).want(201)
		s.ask("POST", "/api/v1/neurons", `{"id":"taken","layer":"L1"}`).want(201)
		for _, c := range []struct {
			credential         []string
			method, path, body string
			status             int
			place              string
		}{
			{nil, "POST", "/api/v1/auth/register", `{"username":"ann",` + password + `}`, 409, "body.username"},
			{nil, "POST", "/api/v1/auth/register", `{"username":" ann",` + password + `}`, 422, "body.username"},
			{nil, "POST", "/api/v1/auth/register", `{"username":"eve",` + password + `,"email":"bob@example.org"}`, 409, "body.email"},
			{nil, "POST", "/api/v1/auth/register", `{"username":"eve",` + password + `,"email":"none"}`, 422, "body.email"},
			{nil, "POST", "/api/v1/neurons", `{"id":"taken","layer":"L1"}`, 409, "body.id"},
			{user, "PUT", "/api/v1/auth/profile", `{"username":"bob"}`, 409, "body.username"},
			{user, "PUT", "/api/v1/auth/profile", `{"email":"none"}`, 422, "body.email"},
			{user, "PUT", "/api/v1/auth/password", `{"old_password":"x","new_password":"` + strings.Repeat("ä", 700) + `"}`, 422, "body.new_password"},
			{user, "POST", "/api/v1/auth/api-keys", `{"name":"\t"}`, 422, "body.name"},
			{user, "POST", "/api/v1/auth/api-keys", `{"name":"k","permissions":["Fly"]}`, 422, "body.permissions"},
			{user, "POST", "/api/v1/auth/api-keys", `{"name":"k","expires_at":"2000-01-01T00:00:00Z"}`, 422, "body.expires_at"},
			{key, "POST", "/api/v1/auth/api-keys", `{"name":"k","expires_at":"2999-01-01T00:00:00Z"}`, 422, "body.expires_at"},
			{admin, "POST", "/api/v1/users", `{"username":"bob",` + password + `}`, 409, "body.username"},
			{admin, "PATCH", "/api/v1/users/" + root.id.String(), `{"role":"user"}`, 409, "body.role"},
			{admin, "PATCH", "/api/v1/users/" + root.id.String(), `{"is_active":false}`, 409, "body.is_active"},
			{admin, "DELETE", "/api/v1/users/" + root.id.String(), "", 409, "path.id"},
			{nil, "POST", "/api/v1/signals", `{"content":"x","layer_to":"L4","id":"5e0b5ff1-6a33-4d20-8b9c-6e0e6c1d7d11"}`, 422, "body.id"},
			{nil, "POST", "/api/v1/signals", `[{"content":"x","layer_to":"L9"}]`, 422, "body[0].layer_to"},
		} {
			r := s.ask(c.method, c.path, c.body, c.credential...).problem(c.status)
			if got := faultPlaces(r); len(got) != 1 || got[0] != c.place {
				t.Errorf("%s %s %.80s: a fault at %q, want %q\n%s", c.method, c.path, c.body, got, c.place, r.body)
			}
		}
	})
}

// The short way of frequent requests and that of all others place a fault alike.
func TestPlacesOfBothWays(t *testing.T) {
	t.Parallel()
	f := &faulty{}
	s := newServer(t, sqliteEngine, withFaulty(f))
	for _, field := range []string{"id", "no_field_of_the_request"} {
		f.neuronGet = func(context.Context) error {
			return &model.Error{Kind: model.ErrInvalid, Entity: "neuron", Field: field, Reason: "is odd"}
		}
		short := s.ask("GET", neuronPath, "").problem(422, "is odd")
		long := s.ask("GET", neuronPath, "", "Accept", "application/json;q=0.9").problem(422, "is odd")
		if short.body != long.body {
			t.Errorf("one says\n%s\nthe other\n%s", short.body, long.body)
		}
		if got := faultPlaces(short); (len(got) == 1 && got[0] == "path.id") != (field == "id") {
			t.Errorf("%s: a fault at %q", field, got)
		}
	}
}

func faultPlaces(r response) []string {
	r.t.Helper()
	var places []string
	for _, f := range decode[struct {
		Errors []struct{ Location string }
	}](r).Errors {
		places = append(places, f.Location)
	}
	return places
}
