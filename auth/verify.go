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
	asking  bool // somebody is, and tells the others
}

// found notes that such a hash was seen.
func (l *legacy) found(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.checked = true, now
}

// due tells whether it is time to ask the database, which the caller does then, and else
// what is known. Before anything is, there may be such users.
func (l *legacy) due(now time.Time) (ask, left bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ask = !l.asking && (l.checked.IsZero() || now.Sub(l.checked) >= legacyEvery)
	l.asking = l.asking || ask
	return ask, l.left || l.checked.IsZero()
}

// answered ends the asking. A failure leaves what was known.
func (l *legacy) answered(left bool, err error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking = false
	if err == nil {
		l.left, l.checked = left, now
	}
}

// legacyLeft tells whether there are such users, as of the last ten minutes. While one asks
// the database nobody else waits for it.
func (s *Service) legacyLeft(ctx context.Context) bool {
	now := s.now()
	ask, left := s.legacy.due(now)
	if !ask {
		return left
	}
	n, err := s.store.UserCountBcrypt(ctx)
	s.legacy.answered(n > 0, err, now)
	if err != nil {
		s.log.WarnContext(ctx, "whether imported password hashes are left could not be read", slog.Any("error", err))
		return left
	}
	return n > 0
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
	err := s.hashes.do(ctx, func() error {
		if err := before(); err != nil {
			return err
		}
		var err error
		p, err = s.check(ctx, algorithm, user.PasswordHash, password, usable, legacyLeft)
		return err
	})
	return p, err
}

// check computes what a verification costs.
func (s *Service) check(ctx context.Context, algorithm, stored, password string, usable, legacyLeft bool) (p proof, err error) {
	var got HashResult
	switch algorithm {
	case algorithmArgon2:
		got, err = s.verifyArgon2(ctx, stored, password)
	case algorithmBcrypt:
		got, err = s.verifyBcrypt(ctx, stored, password)
	default:
		_, err = s.verifyArgon2(ctx, s.decoyArgon2, password)
	}
	if err != nil {
		return p, err
	}
	p.matches = got.Matches && usable
	switch {
	case !p.matches && algorithm == algorithmBcrypt:
		_, err = s.verifyArgon2(ctx, s.decoyArgon2, password)
	case !p.matches && legacyLeft:
		_, err = s.verifyBcrypt(ctx, s.decoyBcrypt, password)
	case p.matches && got.Old:
		p.rehash, err = s.hashArgon2(ctx, password)
	}
	return p, err
}

func (s *Service) verifyArgon2(ctx context.Context, stored, password string) (HashResult, error) {
	s.counts.argon2.Inc()
	return s.cfg.Hash(ctx, HashJob{Do: hashArgon2, Password: []byte(password), Stored: stored, Argon2: s.cfg.Argon2})
}

func (s *Service) verifyBcrypt(ctx context.Context, stored, password string) (HashResult, error) {
	s.counts.bcrypt.Inc()
	return s.cfg.Hash(ctx, HashJob{Do: hashBcrypt, Password: []byte(password), Stored: stored, Argon2: s.cfg.Argon2})
}

func (s *Service) hashArgon2(ctx context.Context, password string) (string, error) {
	s.counts.argon2.Inc()
	got, err := s.cfg.Hash(ctx, HashJob{Do: hashNew, Password: []byte(password), Argon2: s.cfg.Argon2})
	return got.Hash, err
}

// hash makes the hash of a new password, when there is room for it.
func (s *Service) hash(ctx context.Context, password string) (hash string, err error) {
	err = s.hashes.do(ctx, func() error {
		hash, err = s.hashArgon2(ctx, password)
		return err
	})
	return hash, err
}
