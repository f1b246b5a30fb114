package server

import (
	"context"
	"log/slog"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

const (
	// headerConsistency is in the spelling of the documents; net/http folds it.
	headerConsistency       = "HAL9-Consistency-Token"
	foldedHeaderConsistency = "Hal9-Consistency-Token"
	// consistencyNone in the header says that the client waits for no write.
	consistencyNone = "none"
)

// Consistency keeps how far the log had come when a session last wrote. A
// *store.Consistency is one.
type Consistency interface {
	Position(ctx context.Context, session string) (model.Position, bool)
	Now(ctx context.Context) (model.Position, error)
	Keep(ctx context.Context, session string, p model.Position) error
	Forget(ctx context.Context, session string) error
	Stats() *model.ReplicaStats
}

// tracker follows what a request must see and what it writes.
type tracker struct {
	*model.Consistency

	session string // "" for who shows no credential
	header  http.Header
}

type trackerKey struct{}

// trackWrites reads the token that a client brings, and follows the request's reads and
// writes where replicas answer some of them.
func (s *Server) trackWrites(c *gin.Context) {
	need, bound, p := readConsistency(c.Request.Header[foldedHeaderConsistency])
	if p != nil {
		p.abort(c)
		return
	}
	if s.consistency == nil {
		c.Next()
		return
	}
	ctx := c.Request.Context()
	t := &tracker{session: rememberedAs(ctx), header: c.Writer.Header()}
	t.Consistency = model.NewConsistency(func(ctx context.Context) (model.Position, bool) {
		if bound == consistencyNone || t.session == "" {
			return need, bound != ""
		}
		kept, known := s.consistency.Position(ctx, t.session)
		if need.Compare(kept) < 0 {
			need = kept
		}
		return need, known
	})
	ctx = model.WithConsistency(context.WithValue(ctx, trackerKey{}, t), t.Consistency)
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// readConsistency reads the header: "" for none, and else its value.
func readConsistency(values []string) (need model.Position, value string, p *problem) {
	if len(values) == 0 {
		return need, "", nil
	}
	const location = "header." + headerConsistency
	if len(values) > 1 {
		return need, "", newProblem(http.StatusBadRequest, "", problemField{location, "must be given once"})
	}
	if values[0] == consistencyNone {
		return need, consistencyNone, nil
	}
	need, err := model.ParsePosition(values[0])
	if err != nil {
		return need, "", newProblem(http.StatusBadRequest, "", problemField{
			location, "must be the token of an earlier answer, unchanged, or none; leave it out if there is none",
		})
	}
	return need, values[0], nil
}

// rememberedAs names who remembers: the session after a login, or the API key.
func rememberedAs(ctx context.Context) string {
	p := principalOf(ctx)
	switch {
	case !p.Known():
		return ""
	case p.SessionID != uuid.Nil:
		return "session:" + p.SessionID.String()
	default:
		return "key:" + p.KeyID.String()
	}
}

// noteWrites gives the answer its token and remembers for the session how far its writes
// came. It stands before the first byte of the answer. repeated says that nothing was
// written because it was before: the client may not have heard of it.
func (s *Server) noteWrites(ctx context.Context, repeated bool) {
	if s.consistency == nil {
		return
	}
	t, _ := ctx.Value(trackerKey{}).(*tracker)
	if t == nil {
		return
	}
	p, wrote, known := t.Written()
	if !wrote && !repeated {
		return
	}
	ctx = context.WithoutCancel(ctx) // what is committed is, whether or not the client waits
	if !wrote || !known {
		var err error
		if p, err = s.consistency.Now(ctx); err != nil {
			// Further than any replica ever comes.
			p = model.Position{Timeline: math.MaxUint32, LSN: math.MaxUint64}
			known = false
		} else {
			known = true
		}
	}
	t.header[foldedHeaderConsistency] = []string{p.Token()}
	if t.session == "" {
		return
	}
	var err error
	if known {
		err = s.consistency.Keep(ctx, t.session, p)
	} else {
		err = s.consistency.Forget(ctx, t.session)
	}
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "other servers may answer a session from a replica that lacks its last write",
			slog.String("request_id", requestID(ctx)), slog.String("error", safeText(err)))
	}
}

// isWrite tells whether a request of the method means to change something.
func isWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// describeConsistency puts the token into the document: on answers to writes, and on what
// replicas may answer.
func describeConsistency(op *operation, doc *huma.Operation) {
	if isWrite(op.method) {
		h := &huma.Header{
			Description: "Where the database has replicas: names this write. Send it with a read that must see it, unless that has the same access token or API key.",
			Schema:      &huma.Schema{Type: huma.TypeString}, Example: exampleToken,
		}
		for _, r := range successes(doc) {
			setHeader(r, headerConsistency, h)
		}
	}
	if op.replica {
		doc.Parameters = append(doc.Parameters, &huma.Param{
			Name: headerConsistency, In: "header",
			Description: "The token of a write that the answer must show, or none for an answer that may be as old as database.replica_max_lag. " +
				"What an access token or API key wrote, its reads show in any case, unless this is none.",
			Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleToken,
		})
	}
}

const exampleToken = "pAAAAAQAAAAADALmo"
