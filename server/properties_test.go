package server_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/hal9-ai/hal9/auth"
)

// notForClients are fields that the service sets itself, or that only some routes take,
// and one that nobody knows.
func notForClients() map[string]any {
	return map[string]any{
		"role": "admin", "is_active": true, "is_healthy": true, "email_verified": true, "password_hash": "x", "key_hash": "x",
		"user_id": "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70", "id": "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70", "version": 1,
		"created_at": "2026-01-31T12:00:00Z", "updated_at": "2026-01-31T12:00:00Z", "last_login": "2026-01-31T12:00:00Z",
		"permissions": []string{"SystemAdmin"}, "scopes": []string{"SystemAdmin"}, "signals_processed": 1, "no_such_field": 1,
	}
}

// Each route that takes JSON refuses, from whoever may do most, every field that its
// schema does not list, beside a body that is good without it; and changes nothing.
func TestUnlistedFieldsAreRefusedFromTheDocument(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	admin := bearer(s.login(s.user("root", auth.RoleAdmin)).AccessToken)
	routes, tried := 0, 0
	before := s.everything(admin)
	d := getDocument(t, s)
	for path, methods := range d.Paths {
		for method, op := range methods {
			bodies := jsonBodies(t, d, op.RequestBody)
			if len(bodies) == 0 {
				continue
			}
			routes++
			for _, b := range bodies {
				for name, value := range notForClients() {
					if slices.Contains(b.listed, name) {
						continue
					}
					body := maps.Clone(b.example)
					body[name] = value
					text, err := json.Marshal(body)
					if err != nil {
						t.Fatal(err)
					}
					tried++
					r := s.ask(strings.ToUpper(method), sampleIDs().Replace(path), string(text), admin...).problem(422, "unexpected")
					if !strings.Contains(r.body, name) {
						t.Errorf("%s %s: %s is not named: %s", method, path, name, r.body)
					}
				}
			}
		}
	}
	if routes < 10 || tried < 100 {
		t.Errorf("only %d routes were tried with %d fields", routes, tried)
	}
	if after := s.everything(admin); after != before {
		t.Errorf("something changed:\n%s\nto\n%s", before, after)
	}
	t.Logf("%d routes, %d unlisted fields: none taken", routes, tried)
}

// everything is what the lists of an admin tell.
func (s *harness) everything(admin []string) string {
	all := &strings.Builder{}
	for _, path := range []string{"/api/v1/neurons", "/api/v1/memories", "/api/v1/signals", "/api/v1/users", "/api/v1/auth/api-keys"} {
		all.WriteString(s.ask("GET", path+"?limit=1000", "", admin...).body + "\n")
	}
	return all.String()
}

// jsonBody is one form of a body: the names that its schema lists, and a good example.
type jsonBody struct {
	listed  []string
	example map[string]any
}

// jsonBodies reads the forms that a request's body of JSON may have, objects alone.
func jsonBodies(t *testing.T, d document, request []byte) []jsonBody {
	t.Helper()
	if len(request) == 0 {
		return nil
	}
	var r struct {
		Content map[string]struct {
			Schema  map[string]any `json:"schema"`
			Example any            `json:"example"`
		} `json:"content"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		t.Fatal(err)
	}
	content, ok := r.Content["application/json"]
	if !ok {
		return nil
	}
	example := content.Example
	if rows, ok := example.([]any); ok && len(rows) > 0 {
		example = rows[0]
	}
	object, ok := example.(map[string]any)
	if !ok {
		t.Fatalf("no object among the examples: %s", request)
	}
	return []jsonBody{{listedIn(t, d, content.Schema), object}}
}

// listedIn are the names that a schema, or one of those that it is made of, lists.
func listedIn(t *testing.T, d document, schema map[string]any) []string {
	t.Helper()
	var names []string
	if ref, ok := schema["$ref"].(string); ok {
		var target map[string]any
		if err := json.Unmarshal(d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], &target); err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		names = append(names, listedIn(t, d, target)...)
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		names = slices.AppendSeq(names, maps.Keys(properties))
	}
	for _, of := range []string{"oneOf", "anyOf", "allOf"} {
		list, _ := schema[of].([]any)
		for _, one := range list {
			if form, ok := one.(map[string]any); ok {
				names = append(names, listedIn(t, d, form)...)
			}
		}
	}
	if items, ok := schema["items"].(map[string]any); ok {
		names = append(names, listedIn(t, d, items)...)
	}
	return names
}

// Several fields that nobody knows are told in one order, whichever map they went through:
// alone, in an array and in a stream.
func TestFaultsHaveOneOrder(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	const signal = `{"content":"x","layer_to":"L4","zeta":1,"__proto__":1,"alpha":1,"no_such":1}`
	inOrder := func(r response) {
		t.Helper()
		last := -1
		for _, name := range []string{"__proto__", "alpha", "no_such", "zeta"} {
			at := strings.Index(r.body, name)
			if at <= last {
				t.Fatalf("%s does not come after those before it: %s", name, r.body)
			}
			last = at
		}
	}
	for range 20 { // by chance each in this order: one in 24 to the power of 60
		inOrder(s.ask("POST", "/api/v1/signals", signal))
		inOrder(s.ask("POST", "/api/v1/signals", "["+signal+"]"))
		inOrder(s.ask("POST", "/api/v1/signals/bulk", signal+"\n", "Content-Type", "application/x-ndjson"))
	}
}
