package transfer

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

type sessionItem = account[model.SessionImportParams]

// sessions imports the logins, as a record: the original's tokens are not of the form
// that this service takes.
type sessions struct{}

func (sessions) table() string { return "sessions" }

func (sessions) run(ctx context.Context, j *job) error {
	now := model.NormalTime(j.options.Now())
	judge := func(ctx context.Context, q model.Queries, items []*sessionItem) ([]outcome, error) {
		return sessionsJudge(ctx, j, q, items)
	}
	p := pipe[*sessionItem]{
		name:    "sessions",
		columns: []string{"id", "user_id", "token_hash", "ip_address", "user_agent", "expires_at", "created_at"},
		unique:  []string{"token_hash"},
		convert: func(_ context.Context, r *row) (*sessionItem, error) { return sessionOf(r, now) },
		judge:   judge,
		write: func(ctx context.Context, tx model.Tx, items []*sessionItem) ([]outcome, error) {
			outcomes, err := judge(ctx, tx, items)
			if err != nil {
				return nil, err
			}
			err = importFresh(ctx, tx, items, outcomes, func(ctx context.Context, q model.Imports, s *sessionItem) (int64, error) {
				return q.SessionImport(ctx, s.params)
			})
			if err != nil {
				return nil, err
			}
			return outcomes, keepDetails(ctx, tx, entitySession, items, outcomes, now)
		},
	}
	return p.run(ctx, j)
}

// sessionOf converts a row of sessions.
func sessionOf(r *row, now time.Time) (*sessionItem, error) {
	s := &sessionItem{}
	if err := ownedBy(r, entitySession, s); err != nil {
		return nil, err
	}
	p := &s.params
	p.ID, p.UserID = s.id, s.userID
	var err error
	if p.TokenHash, err = r.required("token_hash"); err != nil {
		return nil, err
	}
	p.IPAddress = r.optionalText("ip_address", math.MaxInt, &s.about)
	p.UserAgent = r.optionalText("user_agent", math.MaxInt, &s.about)
	p.CreatedAt = r.momentOr("created_at", &s.about, now, "the time of the import")
	// A session must not live on because its end cannot be read.
	p.ExpiresAt = r.momentOr("expires_at", &s.about, p.CreatedAt, "created_at, so that it is over")
	if p.ExpiresAt.After(now) {
		r.note("the session was open: it is kept as a record, its token is not taken here, and the user logs in again")
	} else {
		r.note("the session was over: the server's upkeep may remove it")
	}
	s.about.addAll(r.legacy())
	return s, r.claim("token_hash")
}

// sessionsJudge tells which sessions are there, and which cannot be written.
func sessionsJudge(ctx context.Context, j *job, q model.Queries, items []*sessionItem) ([]outcome, error) {
	outcomes := make([]outcome, len(items))
	if q != nil {
		var ids, hashes []string
		for _, s := range items {
			ids, hashes = append(ids, s.id.String()), append(hashes, s.params.TokenHash)
		}
		claims, err := q.SessionListClaims(ctx, model.SessionListClaimsParams{Ids: jsonList(ids), TokenHashes: jsonList(hashes)})
		if err != nil {
			return nil, err
		}
		byID, byHash := map[uuid.UUID]bool{}, map[string]uuid.UUID{}
		for _, c := range claims {
			byID[c.ID], byHash[c.TokenHash] = true, c.ID
		}
		claimed(items, outcomes, byID, byHash, func(p model.SessionImportParams) string { return p.TokenHash }, "token_hash is that of another session here")
	}
	return outcomes, owners(ctx, j, q, items, outcomes)
}
