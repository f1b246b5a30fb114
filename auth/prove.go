package auth

import (
	"context"
	"errors"
	"log/slog"

	"github.com/hal9-ai/hal9/model"
)

// knownSessions is how many of a user's sessions are looked at for an address.
const knownSessions = 100

// prove checks that who asks knows the password of a user, who need not exist (the
// zero User), within the limits on failures. account is the name as it was given.
// Every refusal for a wrong password does the same work: see verify. On success the
// caller ends the attempt by succeed or giveBack.
func (s *Service) prove(ctx context.Context, attempt *guess, user *model.User, password string, c Client) (rehash string, err error) {
	now := s.now()
	if attempt.accountWait(now) > 0 && s.knows(ctx, user, attempt.address) {
		attempt.knownNow(now)
	}
	if err := attempt.accountLimited(now); err != nil {
		return "", s.counted(err)
	}
	begun := false
	p, err := s.verify(ctx, user, password, func() error {
		err := attempt.begin(s.now())
		begun = err == nil
		return err
	})
	if err != nil {
		if begun {
			attempt.giveBack(s.now()) // nobody learned anything by it
		}
		return "", s.counted(err)
	}
	if !p.matches {
		s.noteFailure(ctx, user, c)
		return "", s.counted(ErrBadCredentials)
	}
	return p.rehash, nil
}

// knows tells whether a user has a session from the address: then a stranger's
// failures elsewhere do not count against it.
func (s *Service) knows(ctx context.Context, user *model.User, address string) bool {
	rows, err := s.store.SessionListByUser(ctx, model.SessionListByUserParams{UserID: user.ID})
	if err != nil {
		return false
	}
	for i := range min(len(rows), knownSessions) {
		if ip := rows[i].IPAddress; ip != nil && AddressKey(*ip) == address {
			return true
		}
	}
	return false
}

// counted counts how an attempt with a password failed.
func (s *Service) counted(err error) error {
	_, limited := errors.AsType[*LimitedError](err)
	_, busy := errors.AsType[*BusyError](err)
	switch {
	case errors.Is(err, ErrBadCredentials):
		s.counts.failure.Inc()
	case limited:
		s.counts.limited.Inc()
	case busy:
		s.counts.busy.Inc()
	default:
		s.counts.failed.Inc()
	}
	return err
}

// noteFailure writes a wrong password into the audit log, for a user who is not there
// too, since a write takes time. The name as it was typed is left out: people type
// passwords into the wrong field. A log that cannot be written makes no other answer.
func (s *Service) noteFailure(ctx context.Context, user *model.User, c Client) {
	e := entry{action: actLoginFailed, resource: resourceUser, client: c, details: map[string]any{"user_known": false}}
	if user.Username != "" {
		e.id, e.details = user.ID.String(), map[string]any{"user_known": true}
	}
	if err := s.note(ctx, s.store, e); err != nil {
		s.log.WarnContext(ctx, "a failed login could not be written into the audit log", slog.Any("error", err))
	}
}
