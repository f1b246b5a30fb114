package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// legacyEvery is how often the database is asked whether bcrypt hashes are left.
const legacyEvery = 10 * time.Minute

// legacy knows whether users are left whose hashes are the original's. Verifying one
// takes several times as long as a hash of today: see Service.verify.
type legacy struct {
	mu      sync.Mutex
	left    bool
	checked time.Time
}

// found notes that such a hash was seen.
func (l *legacy) found(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.checked = true, now
}

// legacyLeft tells whether there are such users, as of the last ten minutes.
func (s *Service) legacyLeft(ctx context.Context) bool {
	s.legacy.mu.Lock()
	defer s.legacy.mu.Unlock()
	now := s.now()
	if !s.legacy.checked.IsZero() && now.Sub(s.legacy.checked) < legacyEvery {
		return s.legacy.left
	}
	n, err := s.store.UserCountBcrypt(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "whether imported password hashes are left could not be read", slog.Any("error", err))
		return s.legacy.left
	}
	s.legacy.left, s.legacy.checked = n > 0, now
	return s.legacy.left
}

// proof is what verifying a password found.
type proof struct {
	matches bool
	// rehash is the hash to store in place of the present one, "" to leave it.
	rehash string
}

// verify tells whether a password belongs to a user, who need not exist (the zero
// User). before runs when the verification is about to begin, and can refuse it.
//
// A refusal costs the same whatever its reason: one Argon2id hash and, while users
// are left whose hashes are bcrypt's, one of those too, each real or a decoy. So the
// time tells neither whether a name exists nor which hash it has. Only a success is
// cheaper, and it keeps no secret.
func (s *Service) verify(ctx context.Context, user *model.User, password string, before func() error) (proof, error) {
	algorithm := algorithmOf(user.PasswordHash)
	if algorithm == algorithmBcrypt {
		s.legacy.found(s.now())
	}
	legacyLeft := s.legacyLeft(ctx)
	usable := user.IsActive && password != ""
	if len(password) > maxPassword { // longer than any that was ever accepted
		password, usable = password[:maxPassword], false
	}
	var p proof
	var refused error
	err := s.hashes.do(ctx, func() {
		if refused = before(); refused != nil {
			return
		}
		old := false
		switch algorithm {
		case algorithmArgon2:
			p.matches, old = s.verifyArgon2(user.PasswordHash, password)
		case algorithmBcrypt:
			p.matches, old = s.verifyBcrypt(user.PasswordHash, password), true
		default:
			s.verifyArgon2(s.decoyArgon2, password)
		}
		p.matches = p.matches && usable
		switch {
		case !p.matches && algorithm == algorithmBcrypt:
			s.verifyArgon2(s.decoyArgon2, password)
		case !p.matches && legacyLeft:
			s.verifyBcrypt(s.decoyBcrypt, password)
		case p.matches && old:
			p.rehash = s.hashArgon2(password)
		}
	})
	if err == nil {
		err = refused
	}
	return p, err
}

func (s *Service) verifyArgon2(stored, password string) (matches, old bool) {
	s.counts.argon2.Inc()
	return s.cfg.Argon2.verifyArgon2(stored, password)
}

func (s *Service) verifyBcrypt(stored, password string) bool {
	s.counts.bcrypt.Inc()
	return verifyBcrypt(stored, password)
}

func (s *Service) hashArgon2(password string) string {
	s.counts.argon2.Inc()
	return s.cfg.Argon2.hash(password)
}

// hash makes the hash of a new password, when there is room for it.
func (s *Service) hash(ctx context.Context, password string) (string, error) {
	var hash string
	err := s.hashes.do(ctx, func() { hash = s.hashArgon2(password) })
	return hash, err
}
