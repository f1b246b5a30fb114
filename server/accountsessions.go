package server

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// loginSession is one login. Its token is told once, to who logged in.
type loginSession struct {
	ID        uuid.UUID `json:"id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a73"`
	IPAddress *string   `json:"ip_address" nullable:"true" doc:"Where the login came from; null if unknown." example:"192.0.2.7"`
	UserAgent *string   `json:"user_agent" nullable:"true" example:"curl/8.5.0"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at" doc:"Of the access token; a refresh sets it anew."`
	Current   bool      `json:"current" doc:"Whether this request came with its token."`
}

func sessionOf(row *model.Session, current uuid.UUID) loginSession {
	return loginSession{
		ID: row.ID, IPAddress: row.IPAddress, UserAgent: row.UserAgent, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
		Current: row.ID == current,
	}
}

func sessionsOf(rows []model.Session, current uuid.UUID) *answer[[]loginSession] {
	list := make([]loginSession, len(rows))
	for i := range rows {
		list[i] = sessionOf(&rows[i], current)
	}
	return ok(list)
}

func (s *Server) registerSessions(path string) {
	register(s, operation{
		id: "SessionList", method: http.MethodGet, path: path, tag: tagAccounts, access: ownLogin(),
		summary: "List your sessions", description: "The newest first, up to 1,000.",
	}, s.sessionList)
	register(s, operation{
		id: "SessionRevoke", method: http.MethodDelete, path: path + "/{id}", tag: tagAccounts, access: ownLogin(),
		summary: "End one of your sessions", problems: []int{http.StatusNotFound},
	}, s.sessionRevoke)
	register(s, operation{
		id: "SessionRevokeAll", method: http.MethodDelete, path: path, tag: tagAccounts, access: ownLogin(),
		summary: "End all your sessions", description: "The one that asks too.",
	}, s.sessionRevokeAll)
}

func (s *Server) sessionList(ctx context.Context, _ *struct{}) (*answer[[]loginSession], error) {
	p := principalOf(ctx)
	rows, err := s.auth.SessionList(ctx, p)
	if err != nil {
		return nil, err
	}
	return sessionsOf(rows, p.SessionID), nil
}

func (s *Server) sessionRevoke(ctx context.Context, in *UUIDPath) (*answer[deleted], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := s.auth.SessionRevoke(ctx, principalOf(ctx), id, clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(deleted{ID: id.String()}), nil
}

func (s *Server) sessionRevokeAll(ctx context.Context, _ *struct{}) (*answer[ended], error) {
	n, err := s.auth.SessionRevokeAll(ctx, principalOf(ctx), clientOf(ctx))
	if err != nil {
		return nil, err
	}
	return ok(ended{SessionsEnded: n}), nil
}
