package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

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
	// Username is the user's name.
	Username string
	Password string
	Client   Client
}

// Login makes a session for who knows a user's password. ErrBadCredentials says that
// name and password do not belong together, or that the user is not active: who
// asks cannot tell which, nor by the time that it takes. *LimitedError says that too
// many attempts failed, *BusyError that too many passwords wait to be checked.
func (s *Service) Login(ctx context.Context, arg LoginParams) (Grant, error) {
	attempt, err := s.guesses.begin(arg.Username, arg.Client.IP, s.now())
	if err != nil {
		s.attempts.limited.Inc()
		return Grant{}, err
	}
	user, rehash, err := s.check(ctx, arg.Username, arg.Password)
	switch {
	case errors.Is(err, ErrBadCredentials):
		s.attempts.failure.Inc()
		return Grant{}, errors.Join(err, s.noteFailure(ctx, &user, arg))
	case err != nil:
		attempt.giveBack(s.now())
		if _, busy := errors.AsType[*BusyError](err); busy {
			s.attempts.busy.Inc()
		}
		return Grant{}, err
	}
	grant, err := s.open(ctx, user, rehash, arg)
	if err != nil {
		attempt.giveBack(s.now())
		return Grant{}, err
	}
	attempt.succeed(s.now())
	s.attempts.success.Inc()
	return grant, nil
}

// noteFailure writes a failed login of a known user into the audit log; names that
// nobody has are left out, since people type passwords into the wrong field.
func (s *Service) noteFailure(ctx context.Context, user *model.User, arg LoginParams) error {
	if user.Username == "" {
		return nil
	}
	err := s.note(ctx, s.store, entry{
		action: actLoginFailed, resource: resourceUser, id: user.ID.String(), client: arg.Client,
	})
	if err != nil {
		s.log.WarnContext(ctx, "a failed login could not be written into the audit log", slog.String("error", "see the database"))
	}
	return nil
}

// check finds the user to whom a name and a password belong. It verifies one hash in
// any case. The user is set when the name is known, also if the password is wrong.
// rehash is the hash to store in place of the present one, "" to leave it.
func (s *Service) check(ctx context.Context, username, password string) (user model.User, rehash string, err error) {
	stored := ""
	if checkUsername(username) == nil {
		user, err = s.store.UserGetByUsername(ctx, model.UserGetByUsernameParams{Username: username})
		switch {
		case err == nil:
			stored = user.PasswordHash
		case !errors.Is(err, model.ErrNotFound):
			return user, "", fmt.Errorf("look up the user: %w", err)
		}
	}
	if len(password) > maxPassword {
		password = "" // longer than any that was ever accepted
	}
	matches, old := false, false
	err = s.hashes.do(ctx, func() {
		if !usableHash(stored) {
			_, _, _ = s.cfg.Argon2.verify(s.decoy(), password)
			return
		}
		// A hash that cannot be read belongs to no password.
		matches, old, _ = s.cfg.Argon2.verify(stored, password)
		if matches && old {
			rehash = s.cfg.Argon2.hash(password)
		}
	})
	if err != nil {
		return user, "", err
	}
	if !matches || password == "" || !user.IsActive {
		return user, "", ErrBadCredentials
	}
	return user, rehash, nil
}

// usableHash tells whether there is something to verify.
func usableHash(stored string) bool {
	if strings.HasPrefix(stored, "$2") {
		return true
	}
	_, _, _, err := parsePHC(stored)
	return err == nil
}

// open makes a session and its tokens, all in one transaction.
func (s *Service) open(ctx context.Context, user model.User, rehash string, arg LoginParams) (Grant, error) {
	now := model.NormalTime(s.now())
	grant := Grant{
		AccessToken: newToken(prefixAccess), RefreshToken: newToken(prefixRefresh),
		ExpiresAt: now.Add(s.cfg.AccessTTL), RefreshExpiresAt: now.Add(s.cfg.RefreshTTL),
	}
	err := s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if rehash != "" {
			if _, err := tx.UserSetPassword(ctx, model.UserSetPasswordParams{ID: user.ID, PasswordHash: rehash, UpdatedAt: now}); err != nil {
				return fmt.Errorf("renew the password's hash: %w", err)
			}
			if err := s.note(ctx, tx, entry{by: user.ID, action: actPasswordRehash, resource: resourceUser, id: user.ID.String(), client: arg.Client}); err != nil {
				return err
			}
		}
		if _, err := tx.UserSetLastLogin(ctx, model.UserSetLastLoginParams{ID: user.ID, LastLogin: now}); err != nil {
			return fmt.Errorf("note the login: %w", err)
		}
		session, err := tx.SessionInsert(ctx, model.SessionInsertParams{
			ID: s.ids.New(), UserID: user.ID, TokenHash: hashToken(grant.AccessToken),
			IPAddress: textOrNil(arg.Client.IP), UserAgent: textOrNil(arg.Client.UserAgent), ExpiresAt: grant.ExpiresAt, CreatedAt: now,
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
		if grant.User, err = tx.UserGet(ctx, model.UserGetParams{ID: user.ID}); err != nil {
			return fmt.Errorf("read the user: %w", err)
		}
		return s.note(ctx, tx, entry{by: user.ID, action: actLogin, resource: resourceSession, id: session.ID.String(), client: arg.Client})
	})
	return grant, err
}

// Logout ends the session whose access token is shown. With an API key there is none
// to end, which is ErrForbidden.
func (s *Service) Logout(ctx context.Context, p Principal, c Client) error {
	if p.SessionID == (Principal{}).SessionID {
		return fmt.Errorf("%w: an API key has no session to end", ErrForbidden)
	}
	return s.endSession(ctx, p, p.UserID, p.SessionID, actLogout, c)
}
