package hal9

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

const idempotencyHeader = "Idempotency-Key"

// transport sends the requests of the generated client: with a credential, with a key
// where the route takes one, again where that does no harm. It returns no answer of
// status 400 or above, but a *Problem.
type transport struct {
	http        *http.Client
	agent       string
	retries     Retries
	credentials credentials // nil: none are sent
	sleep       func(context.Context, time.Duration) error
	base, path  string // the service's address, and what of it is a path
}

// Do implements api.HttpRequestDoer.
func (t *transport) Do(req *http.Request) (*http.Response, error) {
	route := strings.TrimPrefix(req.URL.Path, t.path)
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", t.agent)
	}
	if takesKey(req.Method, route) && req.Header.Get(idempotencyHeader) == "" {
		req.Header.Set(idempotencyHeader, uuid.NewString())
	}
	again := repeatable(req, route)
	renewed := false
	for attempt := 1; ; attempt++ {
		resp, used, err := t.once(req)
		if err == nil && resp.StatusCode < http.StatusBadRequest {
			return resp, nil
		}
		var problem *Problem
		if err == nil {
			problem = problemOf(resp)
			err = problem
		}
		if problem != nil && problem.Status == http.StatusUnauthorized && used != "" && !renewed && t.credentials != nil && rewindable(req) {
			// Refused before it had any effect, so any request may come again.
			renewed = true
			if t.credentials.expired(used) {
				attempt--
				if err := rewind(req); err != nil {
					return nil, err
				}
				continue
			}
		}
		wait, worth := t.pause(req.Context(), problem, err, attempt, again)
		if !worth || !rewindable(req) {
			return nil, err
		}
		if sleepErr := t.sleep(req.Context(), wait); sleepErr != nil {
			return nil, err // what the service said tells more than that time was up
		}
		if err := rewind(req); err != nil {
			return nil, err
		}
	}
}

// once sends the request once and tells which credential it showed.
func (t *transport) once(req *http.Request) (resp *http.Response, used string, err error) {
	if t.credentials != nil && req.Header.Get("X-Api-Key") == "" {
		used, err = t.credentials.token(req.Context())
		if err != nil {
			return nil, "", err
		}
		req.Header.Set("Authorization", "Bearer "+used)
	}
	resp, err = t.http.Do(req) //nolint:gosec // to the address that the caller gave
	if err != nil {
		return nil, used, fmt.Errorf("hal9: %w", err)
	}
	return resp, used, nil
}

// pause says how long to wait before the next attempt, and whether to make one. problem is
// the service's answer in err, nil if there was none.
func (t *transport) pause(ctx context.Context, problem *Problem, err error, attempt int, again repetition) (time.Duration, bool) {
	if attempt >= t.retries.Attempts || again == never || ctx.Err() != nil {
		return 0, false
	}
	longest := min(t.retries.Base<<min(attempt-1, 20), t.retries.Longest)
	wait := rand.N(longest + 1) //nolint:gosec // spreads clients, hides nothing
	if problem == nil {
		// The answer was lost, or there was none: whether it had an effect is unknown.
		return wait, again == always && !errors.Is(err, errCredential)
	}
	if problem.RetryAfter > t.retries.LongestAsked {
		return 0, false
	}
	switch problem.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
	case http.StatusConflict:
		// The first of two requests with this key is under way.
		if problem.RetryAfter == 0 {
			return 0, false
		}
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		if again != always {
			return 0, false
		}
	default:
		return 0, false
	}
	return problem.RetryAfter + wait, true
}

func rewindable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

func rewind(req *http.Request) error {
	if req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return fmt.Errorf("hal9: repeat the request's body: %w", err)
	}
	req.Body = body
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
