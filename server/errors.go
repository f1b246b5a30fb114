package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// statusClientClosed is what the log and the metrics say of a client that left
// before its answer; it never sees it.
const statusClientClosed = 499

// errorRule says how one kind of failure is answered.
type errorRule struct {
	kind   error
	status int
	// name is the kind's label in the metrics.
	name string
	// detail is what the client reads; "" lets the error speak for itself.
	detail string
	// retryAfter is the header's value in seconds, "" for none.
	retryAfter string
	// unknown says that a write may have taken effect.
	unknown bool
}

// outcomeUnknown is what a client can do that does not know whether it wrote.
const outcomeUnknown = "whether a write took effect is unknown: sent again with the same id or Idempotency-Key it takes effect once"

// errorRules is the one table from failures to answers. The first kind that
// matches counts.
func errorRules() []errorRule {
	return []errorRule{
		{kind: model.ErrNotFound, status: http.StatusNotFound, name: "not_found"},
		{kind: model.ErrConflict, status: http.StatusConflict, name: "conflict"},
		{kind: model.ErrInvalid, status: http.StatusUnprocessableEntity, name: "invalid"},
		{kind: auth.ErrBadCredentials, status: http.StatusUnauthorized, name: "bad_credentials"},
		{kind: auth.ErrUnauthenticated, status: http.StatusUnauthorized, name: "unauthenticated"},
		{kind: auth.ErrForbidden, status: http.StatusForbidden, name: "forbidden", detail: "this is not allowed with the credential that was sent"},
		{kind: auth.ErrRegistrationClosed, status: http.StatusForbidden, name: "registration_closed", detail: "registration is closed: ask an admin for an account"},
		{
			kind: model.ErrInterrupted, status: http.StatusServiceUnavailable, name: "interrupted", unknown: true,
			detail: "the database failed while it was asked; " + outcomeUnknown, retryAfter: "1",
		},
		{
			kind: model.ErrUnavailable, status: http.StatusServiceUnavailable, name: "unavailable",
			detail: "the database cannot be asked at the moment; try again later", retryAfter: "1",
		},
		{
			kind: model.ErrReadOnly, status: http.StatusServiceUnavailable, name: "read_only",
			detail: "writes are held off at the moment, for maintenance or while the database moves; reading works; try again later", retryAfter: "5",
		},
		{
			kind: model.ErrTimeout, status: http.StatusGatewayTimeout, name: "timeout", unknown: true,
			detail: "the database did not answer in time; " + outcomeUnknown,
		},
		{
			kind: context.DeadlineExceeded, status: http.StatusGatewayTimeout, name: "timeout", unknown: true,
			detail: "the request took too long; " + outcomeUnknown,
		},
		{kind: context.Canceled, status: statusClientClosed, name: "canceled", detail: "the client left"},
	}
}

// fail turns what went wrong outside of an operation's handler into the answer, and notes it.
func (s *Server) fail(ctx context.Context, err error) *problem { return s.failAt(ctx, err, nil) }

// failAt is fail for what a handler returned; at tells the places of its input.
func (s *Server) failAt(ctx context.Context, err error, at places) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	// A client that left makes the store fail in its own words.
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		err = context.Canceled
	}
	if p := s.failWaiting(err); p != nil {
		return p
	}
	for _, rule := range errorRules() {
		if !errors.Is(err, rule.kind) {
			continue
		}
		p = rule.problem(err, at)
		s.countError(rule.name)
		if p.Status >= http.StatusInternalServerError {
			s.log.LogAttrs(ctx, slog.LevelWarn, "request failed",
				slog.String("request_id", requestID(ctx)), slog.String("error_type", rule.name), slog.String("error", safeText(err)))
		}
		return p
	}
	s.countError("internal")
	s.log.LogAttrs(ctx, slog.LevelError, "request failed",
		slog.String("request_id", requestID(ctx)), slog.String("error_type", "internal"), slog.String("error", safeText(err)))
	return internalProblem()
}

// failWaiting answers those failures that tell themselves when to try again.
func (s *Server) failWaiting(err error) *problem {
	if limited, ok := errors.AsType[*auth.LimitedError](err); ok {
		s.countError("limited")
		return tooManyRequests("too many attempts failed; try again after the time that Retry-After tells", limited.RetryAfter)
	}
	if busy, ok := errors.AsType[*auth.BusyError](err); ok {
		s.countError("busy")
		return newProblem(http.StatusServiceUnavailable, "too many passwords wait to be checked; try again later").
			with("Retry-After", strconv.Itoa(max(1, seconds(busy.RetryAfter))))
	}
	return nil
}

func (s *Server) countError(name string) {
	s.metrics.GetOrCreateCounter(`hal9_errors_total{error_type="` + name + `"}`).Inc()
}

func internalProblem() *problem {
	return newProblem(http.StatusInternalServerError, "an unexpected error occurred; the log tells more under the answer's X-Request-Id")
}

func (r *errorRule) problem(err error, at places) *problem {
	detail := r.detail
	var fields []problemField
	if detail == "" {
		detail = r.kind.Error()
		if m, ok := errors.AsType[*model.Error](err); ok {
			detail = m.Error()
			if place, ok := at[m.Field]; ok {
				fields = []problemField{{place, cmp.Or(m.Reason, r.kind.Error())}}
			}
		}
	}
	if r.status == http.StatusUnprocessableEntity && len(fields) > 0 {
		detail = "" // the fault by its place, as all others are told
	}
	p := newProblem(r.status, detail, fields...)
	if r.status == http.StatusUnauthorized {
		_ = p.with("WWW-Authenticate", `Bearer realm="hal9"`) // p itself
	}
	if r.unknown {
		p.Outcome = "unknown"
	}
	if r.retryAfter != "" {
		_ = p.with("Retry-After", r.retryAfter) // p itself
	}
	return p
}

// safeText is what may be logged of an error: the store's words, which hold no
// text of the database's, and of any other error no more than its types, since its
// text may repeat what a client sent.
func safeText(err error) string {
	if m, ok := errors.AsType[*model.Error](err); ok {
		return m.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded.Error()
	}
	var types []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		types = append(types, fmt.Sprintf("%T", e))
	}
	return "unexpected error of type " + strings.Join(types, " around ")
}
