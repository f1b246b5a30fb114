package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// maxOwn is the most keys of one user that a list shows.
const maxOwn = 1000

// SessionList returns the sessions of the user who asks, the newest first.
func (s *Service) SessionList(ctx context.Context, p Principal) ([]model.Session, error) {
	return s.UserSessions(ctx, p.UserID)
}

// UserSessions returns the sessions of a user that have not expired, the newest first.
func (s *Service) UserSessions(ctx context.Context, userID uuid.UUID) ([]model.Session, error) {
	rows, err := s.store.SessionListByUser(ctx, model.SessionListByUserParams{UserID: userID})
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	// Those that nothing can renew any more only wait to be removed.
	now, renewable := s.now(), s.cfg.RefreshTTL-s.cfg.AccessTTL
	live := make([]model.Session, 0, len(rows)) // rows belong to the cache
	for _, row := range rows {
		if now.Before(row.ExpiresAt.Add(renewable)) {
			live = append(live, row)
		}
	}
	return live, nil
}

// SessionRevoke ends one session of the user who asks; another's is ErrNotFound.
func (s *Service) SessionRevoke(ctx context.Context, p Principal, id uuid.UUID, c Client) error {
	if err := keyMayManage(p); err != nil {
		return err
	}
	return s.endSession(ctx, p, p.UserID, id, actSessionRevoke, c)
}

// AdminSessionRevoke ends a user's session.
func (s *Service) AdminSessionRevoke(ctx context.Context, by Principal, userID, id uuid.UUID, c Client) error {
	return s.endSession(ctx, by, userID, id, actSessionRevoke, c)
}

// SessionRevokeAll ends all sessions of the user who asks, the one that asks too, and
// counts them.
func (s *Service) SessionRevokeAll(ctx context.Context, p Principal, c Client) (int64, error) {
	if err := keyMayManage(p); err != nil {
		return 0, err
	}
	var ended int64
	err := s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.UserLock(ctx, model.UserLockParams{ID: p.UserID}); err != nil {
			return unknown(err, "lock the user")
		}
		rows, err := tx.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: p.UserID})
		if err != nil {
			return fmt.Errorf("end the sessions: %w", err)
		}
		ended = int64(len(rows))
		return s.note(ctx, tx, entry{
			by: p.UserID, action: actSessionRevokeAll, resource: resourceUser, id: p.UserID.String(), client: c,
			details: map[string]any{"sessions_ended": ended},
		})
	})
	return ended, err
}

func (s *Service) endSession(ctx context.Context, by Principal, userID, id uuid.UUID, action string, c Client) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.SessionDelete(ctx, model.SessionDeleteParams{ID: id, UserID: userID}); err != nil {
			return fmt.Errorf("end the session: %w", err)
		}
		return s.note(ctx, tx, entry{by: by.UserID, action: action, resource: resourceSession, id: id.String(), client: c})
	})
}
