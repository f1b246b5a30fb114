package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/hal9-ai/hal9/model"
)

// Grant is what a login gives.
type Grant struct {
	AccessToken      string
	RefreshToken     string
	ExpiresAt        time.Time // of the access token
	RefreshExpiresAt time.Time
	User             model.User
}

// LoginParams are what somebody shows to log in.
type LoginParams struct {
	Username string
	Password string
	Client   Client
}

// errHashChanged says that the password's hash was replaced while it was verified: by
// another login that renewed it, or by a change of the password.
var errHashChanged = errors.New("the password's hash was replaced meanwhile")

// Login makes a session for who knows a user's password. ErrBadCredentials says that
// name and password do not belong together, or that the user is not active: who
// asks cannot tell which, nor by the time that it takes. *LimitedError says that too
// many attempts failed, *BusyError that too many passwords wait to be checked.
func (s *Service) Login(ctx context.Context, arg LoginParams) (Grant, error) {
	attempt := s.guesses.of(norm.NFC.String(arg.Username), arg.Client.IP)
	if err := attempt.addressLimited(s.now()); err != nil {
		return Grant{}, s.counted(err)
	}
	const tries = 3 // logins of one user at once, of which the first renews the hash
	if err := s.hashes.crowded(); err != nil {
		return Grant{}, s.counted(err)
	}
	for try := 1; ; try++ {
		user, err := s.userByName(ctx, arg.Username)
		if err != nil {
			return Grant{}, s.counted(err)
		}
		rehash, err := s.prove(ctx, attempt, &user, arg.Password, arg.Client)
		if err != nil {
			return Grant{}, err
		}
		grant, err := s.open(ctx, &user, rehash, arg.Client)
		if err == nil {
			attempt.succeed(s.now())
			s.counts.success.Inc()
			return grant, nil
		}
		attempt.giveBack(s.now())
		if !errors.Is(err, errHashChanged) {
			return Grant{}, s.counted(err)
		}
		if try == tries {
			return Grant{}, s.counted(&BusyError{RetryAfter: s.cfg.HashQueueTimeout})
		}
	}
}

// userByName finds a user by a name that a stranger typed; nobody is the zero User.
// New names are in Unicode's composed form; imported ones may be in any.
func (s *Service) userByName(ctx context.Context, name string) (model.User, error) {
	if utf8.RuneCountInString(name) > maxName || model.CheckText("user", "username", name) != nil {
		name = "" // nobody has it
	}
	user, err := s.store.UserGetByUsername(ctx, model.UserGetByUsernameParams{Username: name})
	if composed := norm.NFC.String(name); errors.Is(err, model.ErrNotFound) && composed != name {
		user, err = s.store.UserGetByUsername(ctx, model.UserGetByUsernameParams{Username: composed})
	}
	if errors.Is(err, model.ErrNotFound) {
		return model.User{}, nil
	}
	if err != nil {
		return model.User{}, fmt.Errorf("look up the user: %w", err)
	}
	return user, nil
}

// newGrant makes the tokens of a session.
func (s *Service) newGrant(now time.Time) Grant {
	return Grant{
		AccessToken: newToken(prefixAccess), RefreshToken: newToken(prefixRefresh),
		ExpiresAt: now.Add(s.cfg.AccessTTL), RefreshExpiresAt: now.Add(s.cfg.RefreshTTL),
	}
}

// open makes a session and its tokens, all in one transaction. The user's row is
// locked first: a change of the password that ended all sessions must not be followed
// by one that the old password opened.
func (s *Service) open(ctx context.Context, proved *model.User, rehash string, c Client) (Grant, error) {
	now := model.NormalTime(s.now())
	grant := s.newGrant(now)
	err := s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := lockUser(ctx, tx, proved); err != nil {
			return err
		}
		if rehash != "" {
			if _, err := tx.UserSetPassword(ctx, model.UserSetPasswordParams{ID: proved.ID, PasswordHash: rehash, UpdatedAt: now}); err != nil {
				return fmt.Errorf("renew the password's hash: %w", err)
			}
			if err := s.note(ctx, tx, entry{by: proved.ID, action: actPasswordRehash, resource: resourceUser, id: proved.ID.String(), client: c}); err != nil {
				return err
			}
		}
		var err error
		if grant.User, err = tx.UserSetLastLogin(ctx, model.UserSetLastLoginParams{ID: proved.ID, LastLogin: now}); err != nil {
			return fmt.Errorf("note the login: %w", err)
		}
		session, err := tx.SessionInsert(ctx, model.SessionInsertParams{
			ID: s.ids.New(), UserID: proved.ID, TokenHash: hashToken(grant.AccessToken),
			IPAddress: textOrNil(c.IP), UserAgent: textOrNil(c.UserAgent), ExpiresAt: grant.ExpiresAt, CreatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("store the session: %w", err)
		}
		err = tx.RefreshTokenInsert(ctx, model.RefreshTokenInsertParams{
			ID: s.ids.New(), SessionID: session.ID, TokenHash: hashToken(grant.RefreshToken), ExpiresAt: grant.RefreshExpiresAt, CreatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("store the refresh token: %w", err)
		}
		return s.note(ctx, tx, entry{by: proved.ID, action: actLogin, resource: resourceSession, id: session.ID.String(), client: c})
	})
	return grant, err
}

// lockUser keeps others from changing a user until the transaction ends, and makes
// sure that he is still the one whose password was proved: errHashChanged, or
// ErrBadCredentials if he may not log in any more.
func lockUser(ctx context.Context, tx model.Tx, proved *model.User) (model.User, error) {
	user, err := tx.UserLock(ctx, model.UserLockParams{ID: proved.ID})
	switch {
	case errors.Is(err, model.ErrNotFound), err == nil && !user.IsActive:
		return user, ErrBadCredentials
	case err != nil:
		return user, fmt.Errorf("lock the user: %w", err)
	case user.PasswordHash != proved.PasswordHash:
		return user, errHashChanged
	default:
		return user, nil
	}
}

// Logout ends the session whose access token is shown. With an API key there is none
// to end, which is ErrForbidden.
func (s *Service) Logout(ctx context.Context, p Principal, c Client) error {
	if p.SessionID == uuid.Nil {
		return fmt.Errorf("%w: an API key has no session to end", ErrForbidden)
	}
	return s.endSession(ctx, p, p.UserID, p.SessionID, actLogout, c)
}
