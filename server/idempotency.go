package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
)

// Headers of requests that may be repeated, as the IETF's draft
// draft-ietf-httpapi-idempotency-key-header and services that came before it have
// them. docs/idempotency.md tells clients what to expect.
const (
	headerIdempotencyKey      = "Idempotency-Key"
	headerIdempotencyReplayed = "Idempotency-Replayed"
)

// idempotency says what Idempotency-Key does on an operation.
type idempotency int

const (
	// idempotencyDefault is idempotencyOnce on a POST that creates something, and
	// idempotencyNone on everything else.
	idempotencyDefault idempotency = iota
	// idempotencyNone does not look at the header: the operation is a stream, or is
	// idempotent by itself.
	idempotencyNone
	// idempotencyOnce works on a request once and keeps no answer, which may hold a
	// secret: a repetition is told that the request was done. An attempt whose
	// outcome nobody knows is not repeated.
	idempotencyOnce
	// idempotencyDerived keeps the answer. The handler takes the ids that it makes
	// from s.idsOf, so that an attempt after a crash meets what the first one left.
	idempotencyDerived
	// idempotencyAtomic keeps the answer. The handler asks s.queries alone, so that
	// its effect and its answer are committed together.
	idempotencyAtomic
)

// takesKey tells whether the operation looks at Idempotency-Key.
func (op *operation) takesKey() bool { return op.keyMode() != idempotencyNone }

func (op *operation) keyMode() idempotency {
	switch {
	case op.idempotency != idempotencyDefault:
		return op.idempotency
	case op.method == http.MethodPost && (op.created || op.status == http.StatusCreated):
		return idempotencyOnce
	default:
		return idempotencyNone
	}
}

// lockSlack is how much longer a key is held than a request may take: what is left
// to do after the deadline is to let the key go.
const lockSlack = 5 * time.Second

// claim is a key that this request holds.
type claim struct {
	id     string
	holder uuid.UUID
	seed   uuid.UUID
	// again says that the same request was tried before, with an unknown outcome.
	again bool
	// settled says that the answer is kept, or that the key is another's.
	settled bool
	// begun says that the handler was called.
	begun bool
	// err is what the handler failed with.
	err error
}

type claimKey struct{}

func claimFrom(ctx context.Context) *claim {
	c, _ := ctx.Value(claimKey{}).(*claim)
	return c
}

// idsOf makes the ids of what a request creates: with an idempotency key always the
// same ones.
func (s *Server) idsOf(ctx context.Context) *model.IDGenerator {
	if c := claimFrom(ctx); c != nil {
		return model.NewDerivedIDs(c.seed)
	}
	return s.ids
}

// identitiesOf is idsOf for signals.
func (s *Server) identitiesOf(ctx context.Context) ingest.Identities {
	identities := s.identities
	if c := claimFrom(ctx); c != nil {
		identities.IDs = model.NewDerivedIDs(c.seed)
	}
	return identities
}

// idempotent claims the key that a request brings, or answers in its stead. It
// stands behind the checks of who calls and of the body's size.
func (s *Server) idempotent(op *operation) func(huma.Context, func(huma.Context)) {
	route := op.method + " " + op.path
	mode := op.keyMode()
	return func(ctx huma.Context, next func(huma.Context)) {
		c := unwrap(ctx)
		values, ok := c.Request.Header[headerIdempotencyKey]
		if !ok || op.closed != nil && op.closed() {
			next(ctx)
			return
		}
		key, p := readIdempotencyKey(values)
		if p != nil {
			p.abort(c)
			return
		}
		held, stored, p := s.claimKey(ctx.Context(), mode, route, key, c.Request)
		switch {
		case p != nil:
			s.noteWrites(ctx.Context(), p.Status == http.StatusConflict)
			p.abort(c)
			return
		case held == nil:
			s.noteWrites(ctx.Context(), true)
			replay(c, &stored)
			return
		}
		// Also when the handler panics: recover answers, and the key must not stay locked.
		defer s.settle(ctx.Context(), held)
		next(huma.WithValue(ctx, claimKey{}, held))
	}
}

// readIdempotencyKey takes a key as the draft writes it, in double quotes, or bare.
func readIdempotencyKey(values []string) (string, *problem) {
	const location = "header." + headerIdempotencyKey
	if len(values) != 1 {
		return "", newProblem(http.StatusBadRequest, "", problemField{location, "must be given once"})
	}
	key := values[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	if key == "" || len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", newProblem(http.StatusBadRequest, "",
			problemField{location, "must have 1 to 255 visible ASCII characters; a new UUID for each request that is meant to have an effect of its own is a good choice"})
	}
	return key, nil
}

// callerOf is whose key it is: keys of different users never meet.
func callerOf(ctx context.Context) string {
	if p, ok := auth.PrincipalFrom(ctx); ok && p.Known() {
		return p.UserID.String()
	}
	return "nobody"
}

// claimKey takes the key, or returns the stored answer, or the problem.
func (s *Server) claimKey(ctx context.Context, mode idempotency, route, key string, r *http.Request) (*claim, model.IdempotencyKey, *problem) {
	none := model.IdempotencyKey{}
	body, err := peekBody(r)
	if err != nil {
		return nil, none, internalProblem()
	}
	id := digestKey(callerOf(ctx), route, key)
	fingerprint := fingerprintOf(key, r, body)
	now := s.now()
	row, err := s.store.IdempotencyKeyClaim(ctx, model.IdempotencyKeyClaimParams{
		ID: id, Fingerprint: fingerprint, Holder: s.ids.New(),
		CreatedAt: now, LockedUntil: now.Add(s.cfg.RequestTimeout + lockSlack), ExpiresAt: now.Add(s.cfg.IdempotencyTTL),
	})
	switch {
	case err == nil:
		held := &claim{id: id, holder: row.Holder, seed: row.Seed, again: row.Seed != row.Holder}
		if held.again && mode == idempotencyOnce {
			held.settled = true
			s.letGo(ctx, held)
			return nil, none, newProblem(http.StatusConflict, "", problemField{
				"header." + headerIdempotencyKey,
				"an earlier attempt with this key ended in a way that nobody knows: look whether it had its effect, and send a new key for another attempt",
			})
		}
		return held, none, nil
	case !errors.Is(err, model.ErrNotFound):
		return nil, none, s.fail(ctx, err)
	}
	row, err = s.store.IdempotencyKeyGet(ctx, model.IdempotencyKeyGetParams{ID: id})
	switch {
	case errors.Is(err, model.ErrNotFound): // let go since
		return nil, none, keyInUse()
	case err != nil:
		return nil, none, s.fail(ctx, err)
	case row.Fingerprint != fingerprint:
		return nil, none, invalidField("header."+headerIdempotencyKey, "was used for another request: send a new key with this one")
	case row.Status == nil:
		return nil, none, keyInUse()
	case row.Body == nil:
		return nil, none, keyDone(&row)
	default:
		return nil, row, nil
	}
}

// digestKey is the id of a key: digests have one length, and what a client put into
// its key is not kept.
func digestKey(caller, route, key string) string {
	sum := sha256.Sum256([]byte(caller + "\x00" + route + "\x00" + key))
	return hex.EncodeToString(sum[:])
}

// fingerprintOf tells whether two requests are the same. It is keyed with the
// client's key, which is not stored: a body may hold a password, of which a plain
// digest would allow guessing.
func fingerprintOf(key string, r *http.Request, body []byte) string {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(r.URL.RequestURI() + "\x00")) // never fails
	_, _ = h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// keyInUse is the answer while the first request with the key is under way. Waiting
// for it would hold a connection for each repetition.
func keyInUse() *problem {
	return newProblem(http.StatusConflict, "", problemField{
		"header." + headerIdempotencyKey,
		"a request with this key is under way: repeat it a little later to get its answer",
	}).with("Retry-After", "1")
}

// keyDone is the answer where no answer is kept.
func keyDone(row *model.IdempotencyKey) *problem {
	p := newProblem(http.StatusConflict, "", problemField{
		"header." + headerIdempotencyKey,
		"the request with this key was done, and its answer is not kept: read what it made, or send a new key for another effect",
	})
	for name, value := range keptHeaders(row.Headers) {
		_ = p.with(name, value) // p itself
	}
	return p.with(headerIdempotencyReplayed, "true")
}

// replay gives the stored answer again.
func replay(c *gin.Context, row *model.IdempotencyKey) {
	for name, value := range keptHeaders(row.Headers) {
		c.Header(name, value)
	}
	c.Header(headerIdempotencyReplayed, "true")
	c.Abort()
	c.Data(int(*row.Status), typeJSON, row.Body)
}
