package server_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
)

// Each limit on what a request may ask for is exactly where it is told to be: what fills
// it is taken, one more is refused with the place.
func TestLimitsAreExact(t *testing.T) {
	t.Parallel()
	const bodyLimit = 16 << 20 // server.max_body_bytes, if nothing else is set
	nested := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	row := `{"content":"x","layer_to":"L4"}`
	memory := func(field string) string { return `{"neuron_id":"n",` + field + `}` }
	limits := []struct {
		what, method, path string
		body               func(n int) string
		limit              int
		place              string
	}{
		{"bytes of a body", "POST", "/api/v1/signals", func(n int) string { return row + strings.Repeat(" ", n-len(row)) }, bodyLimit, "server.max_body_bytes"},
		{"depth", "POST", "/api/v1/memories", func(n int) string { return memory(`"content":"x","metadata":` + nested(n-1)) }, 64, "deep"},
		{"rows of an array", "POST", "/api/v1/signals", func(n int) string { return "[" + strings.Repeat(row+",", n-1) + row + "]" }, 10_000, "10000"},
		{"rows of a page", "GET", "/api/v1/signals?limit=%d", nil, 1000, "query.limit"},
		{"characters of a name", "POST", "/api/v1/memories", func(n int) string { return `{"content":"x","neuron_id":"` + strings.Repeat("é", n) + `"}` }, 255, "body.neuron_id"},
		{"bytes of a content", "POST", "/api/v1/signals", func(n int) string { return `{"layer_to":"L4","content":"` + strings.Repeat("x", n) + `"}` }, 1 << 20, "body.content"},
		{"bytes of metadata", "POST", "/api/v1/memories", func(n int) string {
			return memory(`"content":"x","metadata":{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}`)
		}, 64 << 10, "body.metadata"},
		{"bytes of a password", "POST", "/api/v1/auth/register", func(n int) string {
			return `{"username":"ann-` + strconv.Itoa(n) + `","password":"` + strings.Repeat("x", n) + `"}`
		}, 1024, "body.password"},
	}
	onEngines(t, func(t *testing.T, s *harness) {
		admin := bearer(s.login(s.user("root", auth.RoleAdmin)).AccessToken)
		for _, l := range limits {
			for _, n := range []int{l.limit, l.limit + 1} {
				path, body := l.path, ""
				if l.body == nil {
					path = fmt.Sprintf(path, n)
				} else {
					body = l.body(n)
				}
				r := s.ask(l.method, path, body, admin...)
				fits := slices.Contains([]int{200, 201}, r.status)
				if n == l.limit && !fits {
					t.Errorf("%s: %d is answered %d: %.300s", l.what, n, r.status, r.body)
				}
				if n > l.limit && (fits || r.status >= 500 || !strings.Contains(r.body, l.place)) {
					t.Errorf("%s: %d is answered %d: %.300s", l.what, n, r.status, r.body)
				}
			}
		}
		t.Logf("%d limits: each is taken when it is just filled, and refused by one more", len(limits))
	})
}
