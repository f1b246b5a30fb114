package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// maxCredential bounds what is hashed and looked up.
const maxCredential = 512

// Authenticate tells who shows a credential: an access token or an API key. It asks
// the store for the token's or key's row and for the user's, both by unique keys.
// ErrUnauthenticated says no more than that the credential is worth nothing.
func (s *Service) Authenticate(ctx context.Context, credential string) (Principal, error) {
	switch {
	case credential == "" || len(credential) > maxCredential:
		return Principal{}, ErrUnauthenticated
	case strings.HasPrefix(credential, prefixRefresh):
		return Principal{}, ErrUnauthenticated
	case strings.HasPrefix(credential, prefixAccess):
		if !wellFormed(prefixAccess, credential) {
			return Principal{}, ErrUnauthenticated
		}
		return s.bySession(ctx, hashToken(credential))
	case strings.HasPrefix(credential, prefixKey) && !wellFormed(prefixKey, credential):
		return Principal{}, ErrUnauthenticated
	default: // keys of an imported database have any form
		return s.byKey(ctx, hashToken(credential))
	}
}

func (s *Service) bySession(ctx context.Context, hash string) (Principal, error) {
	session, err := s.store.SessionGetByTokenHash(ctx, model.SessionGetByTokenHashParams{TokenHash: hash})
	if err != nil {
		return Principal{}, unknown(err, "look up the session")
	}
	if !s.now().Before(session.ExpiresAt) {
		return Principal{}, ErrUnauthenticated
	}
	p, err := s.principal(ctx, session.UserID)
	if err != nil {
		return Principal{}, err
	}
	p.SessionID = session.ID
	return p, nil
}

func (s *Service) byKey(ctx context.Context, hash string) (Principal, error) {
	key, err := s.store.APIKeyGetByHash(ctx, model.APIKeyGetByHashParams{KeyHash: hash})
	if err != nil {
		return Principal{}, unknown(err, "look up the API key")
	}
	now := s.now()
	if !key.IsActive || key.ExpiresAt != nil && !now.Before(*key.ExpiresAt) {
		return Principal{}, ErrUnauthenticated
	}
	p, err := s.principal(ctx, key.UserID)
	if err != nil {
		return Principal{}, err
	}
	p.KeyID = key.ID
	// Never more than the owner has now, also after he lost some.
	p.Scopes &= KeyScopes(key.Permissions)
	if key.LastUsedAt == nil || now.Sub(*key.LastUsedAt) >= s.cfg.LastUsedInterval {
		s.lastUsed.use(key.ID, now, s.cfg.LastUsedInterval)
	}
	return p, nil
}

// Renew tells what somebody may do now whose credential was good before: a request that
// lasts for hours outlives revocations. ErrUnauthenticated says that the user is gone or
// not active, the session ended, or the key revoked, deleted or expired. That an access
// token expired meanwhile is no reason: its session goes on.
func (s *Service) Renew(ctx context.Context, p Principal) (Principal, error) {
	now, err := s.principal(ctx, p.UserID)
	if err != nil {
		return Principal{}, err
	}
	now.SessionID, now.KeyID = p.SessionID, p.KeyID
	switch {
	case p.SessionID != uuid.Nil:
		if _, err := s.store.SessionGet(ctx, model.SessionGetParams{ID: p.SessionID}); err != nil {
			return Principal{}, unknown(err, "look up the session")
		}
		return now, nil
	case p.KeyID != uuid.Nil:
		keys, err := s.UserAPIKeys(ctx, p.UserID)
		if err != nil {
			return Principal{}, err
		}
		for i := range keys {
			if key := &keys[i]; key.ID == p.KeyID && key.IsActive && (key.ExpiresAt == nil || s.now().Before(*key.ExpiresAt)) {
				now.Scopes &= KeyScopes(key.Permissions)
				return now, nil
			}
		}
	}
	return Principal{}, ErrUnauthenticated
}

// principal is an active user, with the scopes of his role.
func (s *Service) principal(ctx context.Context, id uuid.UUID) (Principal, error) {
	user, err := s.store.UserGetProfile(ctx, model.UserGetProfileParams{ID: id})
	if err != nil {
		return Principal{}, unknown(err, "look up the user")
	}
	if !user.IsActive {
		return Principal{}, ErrUnauthenticated
	}
	return Principal{UserID: user.ID, Username: user.Username, Role: user.Role, Scopes: RoleScopes(user.Role)}, nil
}

// unknown makes a missing row ErrUnauthenticated.
func unknown(err error, doing string) error {
	if errors.Is(err, model.ErrNotFound) {
		return ErrUnauthenticated
	}
	return fmt.Errorf("%s: %w", doing, err)
}
