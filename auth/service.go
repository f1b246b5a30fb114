// Package auth keeps accounts: who somebody is, what he may do, and how he proves it.
// It hashes passwords, makes and checks tokens and API keys, and writes the audit
// log. It asks the store and knows no transport.
package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"github.com/hal9-ai/hal9/model"
)

// Config is what a Service works with. Store is required; a zero field holds the
// default that its comment ends with.
type Config struct {
	Store   model.Store
	IDs     *model.IDGenerator
	Clock   func() time.Time
	Logger  *slog.Logger
	Metrics *metrics.Set

	// RegistrationClosed keeps strangers from making themselves users.
	RegistrationClosed bool
	// AccessTTL is how long an access token lives. 15 min.
	AccessTTL time.Duration
	// RefreshTTL is how long a refresh token lives. 7 days.
	RefreshTTL time.Duration
	// Argon2 are the parameters of new password hashes.
	Argon2 Argon2
	// BcryptCost is that of the hashes that imported users have. While such users are
	// left, a refused login pays for one. 12.
	BcryptCost int
	// HashConcurrency is how many passwords are hashed at once. Half of GOMAXPROCS, so that
	// a flood of logins leaves the other half of the processor to all else.
	HashConcurrency int
	// Hash computes the hashes: HashHere.
	Hash HashFunc
	// HashQueue is how many more may wait. 32 for each that runs.
	HashQueue int
	// HashQueueTimeout is how long one waits at the most. 1 s.
	HashQueueTimeout time.Duration
	// FailuresPerAccount and FailuresPerAddress are how many logins may fail in
	// FailureWindow before more are refused. 10, 100, 15 min.
	FailuresPerAccount int
	FailuresPerAddress int
	FailureWindow      time.Duration
	// LastUsedInterval is how often the last use of an API key is written at the
	// most. 1 min.
	LastUsedInterval time.Duration
}

// WithDefaults returns a copy in which zero fields hold their defaults.
func (c Config) WithDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.IDs == nil {
		c.IDs = model.NewIDGenerator(c.Clock)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = metrics.NewSet()
	}
	c.Argon2 = c.Argon2.WithDefaults()
	setDefault(&c.AccessTTL, 15*time.Minute)
	setDefault(&c.RefreshTTL, 7*24*time.Hour)
	setDefault(&c.BcryptCost, 12)
	if c.Hash == nil {
		c.Hash = HashHere
	}
	setDefault(&c.HashConcurrency, max(1, runtime.GOMAXPROCS(0)/2))
	setDefault(&c.HashQueue, 32*c.HashConcurrency)
	setDefault(&c.HashQueueTimeout, time.Second)
	setDefault(&c.FailuresPerAccount, 10)
	setDefault(&c.FailuresPerAddress, 100)
	setDefault(&c.FailureWindow, 15*time.Minute)
	setDefault(&c.LastUsedInterval, time.Minute)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	if c.Store == nil {
		return errors.New("Config.Store is missing")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"auth.access_ttl", c.AccessTTL},
		{"auth.refresh_ttl", c.RefreshTTL},
		{"auth.hash_queue_timeout", c.HashQueueTimeout},
		{"auth.failure_window", c.FailureWindow},
	} {
		if d.value <= 0 {
			return fmt.Errorf("%s is %v: give a time above 0", d.key, d.value)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{
		{"auth.hash_concurrency", c.HashConcurrency},
		{"auth.failures_per_account", c.FailuresPerAccount},
		{"auth.failures_per_address", c.FailuresPerAddress},
	} {
		if n.value <= 0 {
			return fmt.Errorf("%s is %d: give at least 1", n.key, n.value)
		}
	}
	if c.BcryptCost < bcrypt.MinCost || c.BcryptCost > maxBcryptCost {
		return fmt.Errorf("Config.BcryptCost is %d: give %d to %d", c.BcryptCost, bcrypt.MinCost, maxBcryptCost)
	}
	if c.AccessTTL > c.RefreshTTL {
		return fmt.Errorf("auth.access_ttl is %v: give at most auth.refresh_ttl (%v)", c.AccessTTL, c.RefreshTTL)
	}
	return nil
}

// Service keeps the accounts of one database. It is made by New and safe for
// concurrent use; Run must run beside it for the last use of keys to be written.
type Service struct {
	cfg      Config
	store    model.Store
	ids      *model.IDGenerator
	now      func() time.Time
	log      *slog.Logger
	hashes   *hashGate
	guesses  *guessLimit
	counts   counts
	lastUsed lastUsed
	legacy   legacy

	// Verified where there is no hash of the kind to verify, so that all refusals
	// take the same time.
	decoyArgon2, decoyBcrypt string
}

// New makes a service.
func New(cfg Config) (*Service, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("make the service of accounts: %w", err)
	}
	s := &Service{
		cfg: cfg, store: cfg.Store, ids: cfg.IDs, now: cfg.Clock, log: cfg.Logger,
		hashes:      newHashGate(cfg.HashConcurrency, cfg.HashQueue, cfg.HashQueueTimeout, cfg.Metrics),
		counts:      newCounts(cfg.Metrics),
		decoyArgon2: cfg.Argon2.decoy(), decoyBcrypt: decoyBcrypt(cfg.BcryptCost),
	}
	s.guesses = newGuessLimit(cfg.FailuresPerAccount, cfg.FailuresPerAddress, cfg.FailureWindow, &s.counts)
	s.lastUsed.seen = map[uuid.UUID]time.Time{}
	return s, nil
}
