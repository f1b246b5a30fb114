package auth

import (
	"context"
	"fmt"

	"github.com/hal9-ai/hal9/model"
)

// Refresh gives new tokens for a refresh token, which is spent by it, as is the
// session's access token. A spent token that is shown again is a sign that two
// parties hold it: its whole session is revoked (RFC 9700, section 4.14.2). A client
// that lost the answer logs in again.
func (s *Service) Refresh(ctx context.Context, refreshToken string, c Client) (Grant, error) {
	if !wellFormed(prefixRefresh, refreshToken) {
		return Grant{}, ErrUnauthenticated
	}
	// A token that nobody holds opens no transaction: on SQLite it would take the writer,
	// and whoever can call may send as many as he likes.
	if _, err := s.store.RefreshTokenGetByHash(ctx, model.RefreshTokenGetByHashParams{TokenHash: hashToken(refreshToken)}); err != nil {
		return Grant{}, unknown(err, "look up the refresh token")
	}
	now := model.NormalTime(s.now())
	grant := s.newGrant(now)
	reused := false
	err := s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		token, err := tx.RefreshTokenGetByHash(ctx, model.RefreshTokenGetByHashParams{TokenHash: hashToken(refreshToken)})
		if err != nil {
			return unknown(err, "look up the refresh token")
		}
		// The session's row comes first, as in all that ends sessions: it lets one
		// refresh in at a time, and transactions that wait for each other in one
		// order do not wait for ever.
		session, err := tx.SessionLock(ctx, model.SessionLockParams{ID: token.SessionID})
		if err != nil {
			return unknown(err, "lock the session")
		}
		if !now.Before(token.ExpiresAt) {
			return ErrUnauthenticated
		}
		user, err := tx.UserGet(ctx, model.UserGetParams{ID: session.UserID})
		if err != nil {
			return unknown(err, "look up the user")
		}
		if !user.IsActive {
			return ErrUnauthenticated
		}
		grant.User = user
		_, err = tx.SessionRotate(ctx, model.SessionRotateParams{
			ID: session.ID, OldTokenHash: session.TokenHash, TokenHash: hashToken(grant.AccessToken), ExpiresAt: grant.ExpiresAt,
		})
		if err != nil {
			return unknown(err, "renew the session")
		}
		spent, err := tx.RefreshTokenSpend(ctx, model.RefreshTokenSpendParams{ID: token.ID, SpentAt: now})
		if err != nil {
			return fmt.Errorf("spend the refresh token: %w", err)
		}
		if spent == 0 {
			reused = true
			return s.revokeFamily(ctx, tx, &session, c)
		}
		err = tx.RefreshTokenInsert(ctx, model.RefreshTokenInsertParams{
			ID: s.ids.New(), SessionID: session.ID, TokenHash: hashToken(grant.RefreshToken), ExpiresAt: grant.RefreshExpiresAt, CreatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("store the refresh token: %w", err)
		}
		return nil
	})
	if err == nil && reused {
		return Grant{}, ErrUnauthenticated
	}
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}

// revokeFamily ends the session with all tokens that it ever had.
func (s *Service) revokeFamily(ctx context.Context, tx model.Tx, session *model.Session, c Client) error {
	if _, err := tx.SessionDelete(ctx, model.SessionDeleteParams{ID: session.ID, UserID: session.UserID}); err != nil {
		return fmt.Errorf("revoke the session: %w", err)
	}
	return s.note(ctx, tx, entry{
		by: session.UserID, action: actRefreshReuse, resource: resourceSession, id: session.ID.String(), client: c,
		details: map[string]any{"effect": "the session was revoked"},
	})
}
