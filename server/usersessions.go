package server

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
)

// ownedPath names a session or key of a user.
type ownedPath struct {
	UUIDPath
	Owned string `path:"owned_id" format:"uuid" maxLength:"36" doc:"The id of the session or key." example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a73"`
}

func (p *ownedPath) ids() (user, owned uuid.UUID, err error) {
	if user, err = p.id(); err != nil {
		return user, owned, err
	}
	if owned, err = uuid.Parse(p.Owned); err != nil {
		return user, owned, invalidField("path.owned_id", "must be a UUID such as 0199d2f4-7c00-7a31-8d52-0e6f4b1c9a73")
	}
	return user, owned, nil
}

// rankedOwned is ranked for what a user has: who may not touch him may not shut him out by
// taking his sessions and keys.
func (s *Server) rankedOwned(ctx context.Context, in *ownedPath) (by auth.Principal, user, owned uuid.UUID, err error) {
	if user, owned, err = in.ids(); err != nil {
		return by, user, owned, err
	}
	by, user, err = s.ranked(ctx, &in.UUIDPath)
	return by, user, owned, err
}

func (s *Server) registerUserSessions(one string) {
	manage := closed(auth.ScopeManageUsers)
	const higher = "Of a user who has more scopes than you have yourself they are not yours to touch."
	sessions, keys := one+"/sessions", one+"/api-keys"
	register(s, operation{
		id: "UserSessionList", method: http.MethodGet, path: sessions, tag: tagAdmin, access: manage,
		summary: "List a user's sessions", description: "The newest first, up to 1,000.", problems: []int{http.StatusNotFound},
	}, s.userSessionList)
	register(s, operation{
		id: "UserSessionRevoke", method: http.MethodDelete, path: sessions + "/{owned_id}", tag: tagAdmin, access: manage,
		summary: "End a user's session", description: higher, problems: []int{http.StatusNotFound},
	}, s.userSessionRevoke)
	register(s, operation{
		id: "UserAPIKeyList", method: http.MethodGet, path: keys, tag: tagAdmin, access: manage,
		summary: "List a user's API keys", description: "The newest first, up to 1,000.", problems: []int{http.StatusNotFound},
	}, s.userAPIKeyList)
	register(s, operation{
		id: "UserAPIKeyRevoke", method: http.MethodPut, path: keys + "/{owned_id}", tag: tagAdmin, access: manage, noBody: true,
		summary: "Revoke a user's API key", description: "For good. " + higher, problems: []int{http.StatusNotFound},
	}, s.userAPIKeyRevoke)
	register(s, operation{
		id: "UserAPIKeyDelete", method: http.MethodDelete, path: keys + "/{owned_id}", tag: tagAdmin, access: manage,
		summary: "Delete a user's API key", description: higher, problems: []int{http.StatusNotFound},
	}, s.userAPIKeyDelete)
}

// known is the id of a user who exists: no user is not a user without sessions.
func (s *Server) known(ctx context.Context, in *UUIDPath) (uuid.UUID, error) {
	id, err := in.id()
	if err != nil {
		return id, err
	}
	_, err = s.auth.UserGet(ctx, id)
	return id, err
}

func (s *Server) userSessionList(ctx context.Context, in *UUIDPath) (*answer[[]loginSession], error) {
	id, err := s.known(ctx, in)
	if err != nil {
		return nil, err
	}
	rows, err := s.auth.UserSessions(ctx, id)
	if err != nil {
		return nil, err
	}
	return sessionsOf(rows, principalOf(ctx).SessionID), nil
}

func (s *Server) userSessionRevoke(ctx context.Context, in *ownedPath) (*answer[deleted], error) {
	by, user, id, err := s.rankedOwned(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := s.auth.AdminSessionRevoke(ctx, by, user, id, clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(deleted{ID: id.String()}), nil
}

func (s *Server) userAPIKeyList(ctx context.Context, in *UUIDPath) (*answer[[]APIKey], error) {
	id, err := s.known(ctx, in)
	if err != nil {
		return nil, err
	}
	rows, err := s.auth.UserAPIKeys(ctx, id)
	if err != nil {
		return nil, err
	}
	return apiKeysOf(rows), nil
}

func (s *Server) userAPIKeyRevoke(ctx context.Context, in *ownedPath) (*answer[APIKey], error) {
	by, user, id, err := s.rankedOwned(ctx, in)
	if err != nil {
		return nil, err
	}
	row, err := s.auth.AdminAPIKeyRevoke(ctx, by, user, id, clientOf(ctx))
	if err != nil {
		return nil, err
	}
	return ok(apiKeyOf(&row)), nil
}

func (s *Server) userAPIKeyDelete(ctx context.Context, in *ownedPath) (*answer[deleted], error) {
	by, user, id, err := s.rankedOwned(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := s.auth.AdminAPIKeyDelete(ctx, by, user, id, clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(deleted{ID: id.String()}), nil
}
