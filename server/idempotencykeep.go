package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// maxKeptAnswer bounds what is stored of an answer. An array of 10,000 signals is
// answered with less than half of it; only a neuron or memory of nearly the longest
// text has more, which is told apart by keyDone.
const maxKeptAnswer = 1 << 20

// settleTimeout bounds the last words about a key, which are said although the
// client may have left or the request's time be over.
const settleTimeout = 2 * time.Second

// errKeyLost says that a request took so long that another one took its key.
var errKeyLost = errors.New("the idempotency key was taken over")

// keepable is an answer that can be stored and given again.
type keepable interface {
	kept() (status int, headers map[string]string, body any)
}

func (a *answer[T]) kept() (status int, headers map[string]string, body any) {
	return a.Status, map[string]string{"Location": a.Location, "ETag": a.ETag, "Cache-Control": a.CacheControl}, a.Body
}

// once lets a request that holds a key have one effect, and keeps its answer.
func once[I, O any](s *Server, op *operation, handler func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	mode := op.keyMode()
	return func(ctx context.Context, in *I) (*O, error) {
		held := claimFrom(ctx)
		if held == nil {
			return handler(ctx, in)
		}
		held.begun = true
		var out *O
		if mode == idempotencyAtomic {
			held.err = s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
				var err error
				if out, err = handler(context.WithValue(ctx, txKey{}, tx), in); err != nil {
					return err
				}
				return keep(ctx, tx, mode, held, out)
			})
		} else if out, held.err = handler(ctx, in); held.err == nil {
			// The effect is committed, so that the answer is a success whether it can be
			// kept or not: without it a repetition derives the same ids.
			last, cancel := lastWords(ctx)
			defer cancel()
			if err := keep(last, s.store, mode, held, out); err == nil {
				held.settled = true
			}
			return out, nil
		}
		switch {
		case held.err == nil:
			held.settled = true
			return out, nil
		case errors.Is(held.err, errKeyLost):
			held.settled = true
			return nil, keyInUse()
		default:
			return nil, held.err
		}
	}
}

// keep stores the answer; in a transaction it commits together with the effect.
func keep(ctx context.Context, q model.Queries, mode idempotency, held *claim, out any) error {
	arg := model.IdempotencyKeyFinishParams{ID: held.id, Holder: held.holder, Headers: model.EmptyObject()}
	status := int64(http.StatusOK)
	if a, ok := out.(keepable); ok {
		code, headers, content := a.kept()
		status = int64(code)
		for name, value := range headers {
			if value == "" {
				delete(headers, name)
			}
		}
		text, err := json.Marshal(headers, answerOptions())
		if err != nil {
			return err //nolint:wrapcheck // a map of texts
		}
		arg.Headers = text
		if mode != idempotencyOnce {
			body, err := marshalAnswer(content)
			if err != nil {
				return err
			}
			if len(body) <= maxKeptAnswer {
				arg.Body = body
			}
		}
	}
	arg.Status = &status
	rows, err := q.IdempotencyKeyFinish(ctx, arg)
	if err == nil && rows == 0 {
		err = errKeyLost
	}
	return err
}

func keptHeaders(text model.JSON) map[string]string {
	var headers map[string]string
	if err := json.Unmarshal(text, &headers); err != nil {
		return nil // keep wrote it
	}
	return headers
}

// settle ends a claim whose answer was not kept. A request that is known to have had
// no effect frees its key; one whose outcome is unknown lets go of it, so that the
// same request may be tried again with the same ids.
func (s *Server) settle(ctx context.Context, held *claim) {
	if held.settled {
		return
	}
	if held.again || !noEffect(held.err, held.begun) {
		s.letGo(ctx, held)
		return
	}
	last, cancel := lastWords(ctx)
	defer cancel()
	if _, err := s.store.IdempotencyKeyDelete(last, model.IdempotencyKeyDeleteParams{ID: held.id, Holder: held.holder}); err != nil {
		s.countError("idempotency_key") // the lock runs out by itself
	}
}

// noEffect tells whether a request certainly wrote nothing: it was refused before or
// by its handler. A failure on the server's side may have come after the write.
func noEffect(err error, begun bool) bool {
	if !begun {
		return true
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p.Status < http.StatusInternalServerError
	}
	var limited *auth.LimitedError
	var busy *auth.BusyError
	if errors.As(err, &limited) || errors.As(err, &busy) {
		return true
	}
	for _, kind := range []error{
		model.ErrNotFound, model.ErrConflict, model.ErrInvalid, model.ErrReadOnly,
		auth.ErrUnauthenticated, auth.ErrBadCredentials, auth.ErrForbidden, auth.ErrRegistrationClosed,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// letGo keeps the key and its seed, but lets the same request be tried at once.
func (s *Server) letGo(ctx context.Context, held *claim) {
	last, cancel := lastWords(ctx)
	defer cancel()
	arg := model.IdempotencyKeyReleaseParams{ID: held.id, Holder: held.holder, LockedUntil: s.now()}
	if _, err := s.store.IdempotencyKeyRelease(last, arg); err != nil {
		s.countError("idempotency_key") // the lock runs out by itself
	}
}

func lastWords(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
}

type txKey struct{}

// queries is the transaction in which the effect and the answer of a request with an
// idempotency key are committed together, or the store.
func (s *Server) queries(ctx context.Context) model.Queries {
	if tx, ok := ctx.Value(txKey{}).(model.Tx); ok {
		return tx
	}
	return s.store
}

// peekBody returns the body that readBody has put into memory.
func peekBody(r *http.Request) ([]byte, error) {
	if b, ok := r.Body.(*memoryBody); ok {
		return b.Bytes(), nil
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err //nolint:wrapcheck // it is in memory
	}
	r.Body = newMemoryBody(body)
	return body, nil
}
