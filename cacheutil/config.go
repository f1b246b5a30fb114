package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultPrefix        = "cache:"
	DefaultMetricPrefix  = "cache_"
	DefaultLocalMaxBytes = 64 << 20
	DefaultCallTimeout   = 50 * time.Millisecond
	DefaultEpochInterval = 5 * time.Second
	DefaultLeaseTTL      = 2 * time.Second
	DefaultMaxPending    = 10_000
)

// maxDialTimeout bounds how long a call can wait while another call dials: the
// client lets all calls of a connection wait for the dial, whatever their
// contexts say.
const maxDialTimeout = 200 * time.Millisecond

// Config describes what all caches of one program share. The zero value is a
// cache in process memory alone.
type Config struct {
	// URL names the Valkey or Redis of the second tier, in one of the forms of
	// ParseURL; empty: there is none.
	URL string

	// Prefix begins every key in Valkey. Programs that share a Valkey and not
	// their data have different prefixes, none of which begins another. It holds
	// no braces.
	Prefix string

	// Epoch is part of every key in Valkey. A program whose database went back in
	// time opens its caches with another epoch: what was cached before is out of
	// reach and expires.
	Epoch int64
	// EpochSource, if set, is asked for the epoch at Open and each EpochInterval.
	// A change empties the first tier and leaves all entries of the second one
	// out of reach. While it fails, the last epoch stays.
	EpochSource   func(context.Context) (int64, error)
	EpochInterval time.Duration

	// LocalMaxBytes bounds the first tier, all caches together: keys, values as
	// Options.Size estimates them, kept encodings, and the cost of each entry.
	LocalMaxBytes int64
	// LocalMaxTTL is how long processes can disagree that cannot tell each other.
	// Without a URL it bounds the life of an entry in the first tier; 0: no bound,
	// right for one process alone. With a URL it is how long the first tier is used
	// without proof that invalidations arrive, which comes five times a second; half
	// a second at least; 0: two seconds.
	LocalMaxTTL time.Duration

	// MaxConnections bounds the pool of connections to each Valkey node for
	// blocking commands and dedicated uses, the tracking connection among them.
	// Calls of the cache share a few pipelined connections beside it.
	// 2 at least, for that one and a subscription; 0: the client's default.
	MaxConnections int
	// CallTimeout is the budget of one call to Valkey. A call that takes longer
	// counts as an error, and a read goes on as a miss. The first tier does not
	// depend on it.
	CallTimeout time.Duration
	// Pipelining sends concurrent calls of one connection together even when
	// there is only one: more calls a second under load, some latency without.
	Pipelining bool
	// MaxPending bounds the invalidations that are kept while Valkey is away.
	// When there are more, everything that is cached is put out of reach instead.
	MaxPending int

	// MetricPrefix begins the names of the metrics.
	MetricPrefix string
	// Observer is told of reads. Nobody.
	Observer Observer
	// Logger gets changes of state, never single errors. Default: slog.Default.
	Logger *slog.Logger
	// Now is the clock for times to live; tests inject one. Default: the
	// monotonic clock, which does not jump.
	Now func() time.Time
}

// withDefaults returns a copy with every setting filled in.
func (c Config) withDefaults() Config {
	setDefault(&c.Prefix, DefaultPrefix)
	setDefault(&c.MetricPrefix, DefaultMetricPrefix)
	setDefault(&c.LocalMaxBytes, DefaultLocalMaxBytes)
	setDefault(&c.CallTimeout, DefaultCallTimeout)
	setDefault(&c.EpochInterval, DefaultEpochInterval)
	setDefault(&c.MaxPending, DefaultMaxPending)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) validate() error {
	var errs []error
	if strings.ContainsAny(c.Prefix, "{}") {
		errs = append(errs, fmt.Errorf("prefix %q: braces would decide where a cluster keeps the key", c.Prefix))
	}
	for _, setting := range []struct {
		name     string
		negative bool
	}{
		{"LocalMaxBytes", c.LocalMaxBytes < 0},
		{"LocalMaxTTL", c.LocalMaxTTL < 0},
		{"MaxConnections", c.MaxConnections < 0},
		{"CallTimeout", c.CallTimeout < 0},
		{"EpochInterval", c.EpochInterval < 0},
		{"MaxPending", c.MaxPending < 0},
	} {
		if setting.negative {
			errs = append(errs, fmt.Errorf("%s is negative", setting.name))
		}
	}
	return errors.Join(errs...)
}
