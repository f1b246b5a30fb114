package hal9

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/hal9-ai/hal9/clients/go/api"
)

// Problem is a failure that the service answered (RFC 9457), which is its name there.
type Problem struct { //nolint:errname // as above
	// Status is the HTTP status, which says what kind of problem it is.
	Status int `json:"status"`
	// Title is the status in words.
	Title string `json:"title"`
	// Detail says what is wrong with this request, and what to do.
	Detail string `json:"detail"`
	// Fields are the faults by their place in the request, the first 100.
	Fields []Field `json:"errors"`
	// Outcome is "unknown" if a write may or may not have taken effect.
	Outcome string `json:"outcome"`
	// Stream tells how far a stream of signals came; nil for other requests.
	Stream *api.BulkResult `json:"data"`

	// RetryAfter is how long the service asked to wait; 0 if it did not.
	RetryAfter time.Duration `json:"-"`
	// RequestID finds the request in the service's log.
	RequestID string `json:"-"`
}

// Field is one fault.
type Field struct {
	// Location is the place in the request, such as body.layer.
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error implements error.
func (p *Problem) Error() string {
	text := fmt.Sprintf("hal9: %d %s: %s", p.Status, p.Title, p.Detail)
	if p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	return text
}

// StatusOf returns the status of the *Problem in err, 0 if there is none: the service did
// not answer.
func StatusOf(err error) int {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Status
	}
	return 0
}

// maxProblem bounds what is read of a failure's answer.
const maxProblem = 1 << 20

// problemOf reads and closes an answer of status 400 or above.
func problemOf(resp *http.Response) *Problem {
	defer func() { _ = resp.Body.Close() }()
	p := &Problem{}
	// What is no problem document comes from something in between, such as a balancer.
	if body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem)); err == nil {
		if json.Unmarshal(body, p) != nil {
			p = &Problem{}
		}
	}
	p.Status = resp.StatusCode
	p.Title = cmp.Or(p.Title, http.StatusText(resp.StatusCode))
	p.Detail = cmp.Or(p.Detail, "the answer is no problem document: is this a HAL9 service?")
	p.RequestID = resp.Header.Get("X-Request-ID")
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return p
}

// retryAfter reads the header, in seconds or as a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
