package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/server"
)

// document is what tests read of the OpenAPI document.
type document struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string                     `json:"operationId"`
		Summary     string                     `json:"summary"`
		Tags        []string                   `json:"tags"`
		RequestBody json.RawMessage            `json:"requestBody"`
		Responses   map[string]json.RawMessage `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas   map[string]json.RawMessage `json:"schemas"`
		Responses map[string]json.RawMessage `json:"responses"`
	} `json:"components"`
}

func getDocument(t *testing.T, s *harness) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(s.ask("GET", "/openapi.json", "").want(200).body), &d); err != nil {
		t.Fatalf("the document: %v", err)
	}
	return d
}

// The router and the document list the same routes, but for the page that shows the
// document.
func TestDocumentListsTheRoutes(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	documented := server.UndocumentedRoutes()
	for path, methods := range getDocument(t, s).Paths {
		for method := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+strings.NewReplacer("{", ":", "}", "").Replace(path))
		}
	}
	slices.Sort(documented)
	served := s.server.Routes()
	slices.Sort(served)
	if !slices.Equal(served, documented) {
		t.Errorf("served %q\ndocumented %q", served, documented)
	}
	t.Logf("%d routes, as many in the document or among the %d that show it", len(served), len(server.UndocumentedRoutes()))
}

func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	d := getDocument(t, s)
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI %s", d.OpenAPI)
	}
	ids := map[string]string{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			where := method + " " + path
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s: id %q, summary %q, tags %q", where, op.OperationID, op.Summary, op.Tags)
			}
			if other, taken := ids[op.OperationID]; taken {
				t.Errorf("%s and %s are both %s", where, other, op.OperationID)
			}
			ids[op.OperationID] = where
			wanted := []string{"403", "422", "500"}
			if op.RequestBody != nil {
				wanted = append(wanted, "400", "413", "415")
				if !strings.Contains(string(op.RequestBody), `"example":`) {
					t.Errorf("%s: the body has no example", where)
				}
			}
			for _, status := range wanted {
				if _, ok := op.Responses[status]; !ok {
					t.Errorf("%s: no answer %s", where, status)
				}
			}
			for status, r := range op.Responses {
				if _, ref, ok := strings.Cut(string(r), "#/components/responses/"); ok {
					if _, found := d.Components.Responses[strings.TrimRight(ref, "\"}")]; !found {
						t.Errorf("%s: answer %s refers to nothing: %s", where, status, r)
					}
				}
			}
		}
	}
	for name := range d.Components.Schemas {
		if strings.HasPrefix(name, "Error") {
			t.Errorf("schema %s is not ours", name)
		}
	}
}

// sampleIDs are ids of things that exist, by the first element of the path.
func sampleIDs() *strings.Replacer {
	return strings.NewReplacer(
		"/neurons/{id}", "/neurons/neuron-l4",
		"{id}", "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70",
	)
}

// writers are the routes that take a body of JSON.
func writers(t *testing.T, s *harness) []route {
	t.Helper()
	var all []route
	for path, methods := range getDocument(t, s).Paths {
		for method, op := range methods {
			if strings.Contains(string(op.RequestBody), `"application/json"`) {
				all = append(all, route{strings.ToUpper(method), sampleIDs().Replace(path)})
			}
		}
	}
	if len(all) < 3 {
		t.Fatalf("the document has bodies on %q alone", all)
	}
	return all
}

type route struct{ method, path string }
