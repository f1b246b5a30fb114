package hal9

import (
	"net/http"
	"slices"
	"strings"
)

// repetition says after which failures a request may be sent again.
type repetition int

const (
	// never: a second one may have a second effect.
	never repetition = iota
	// refused: only if the service said that the first had no effect.
	refused
	// always: also if its answer was lost.
	always
)

// keyed are the routes whose POST takes an Idempotency-Key. A test holds the list to the
// OpenAPI document.
//
//nolint:gochecknoglobals // never changed
var keyed = []string{
	"/api/v1/auth/api-keys", "/api/v1/auth/register", "/api/v1/memories", "/api/v1/neurons",
	"/api/v1/signal", "/api/v1/signals", "/api/v1/users",
}

func takesKey(method, route string) bool {
	return method == http.MethodPost && slices.Contains(keyed, route)
}

// repeatable says when a request may be sent again. What is called idempotent here has one
// effect however often it comes; its answer may differ: a DELETE whose first answer was
// lost is told that there is nothing.
func repeatable(req *http.Request, route string) repetition {
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		return always
	case http.MethodPut, http.MethodDelete:
		// The old password and the old version are no longer right after the first: the
		// caller must hear that its outcome is unknown, not that it failed.
		if strings.HasSuffix(route, "/password") || req.Header.Get("If-Match") != "" || req.Header.Get("If-None-Match") != "" {
			return refused
		}
		return always
	default:
		if req.Header.Get(idempotencyHeader) != "" {
			return always
		}
		return never
	}
}
