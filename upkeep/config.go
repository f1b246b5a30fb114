package upkeep

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/model"
)

// Config is what a Keeper works with. Store and Holder are required; a zero field holds
// the default that its comment ends with.
type Config struct {
	Store   model.Store
	Clock   func() time.Time
	Logger  *slog.Logger
	Metrics *metrics.Set

	// Holder tells this server from others on the same database, as in "host:1234 k3x9".
	Holder string
	// Interval is the time from one run to the next. 5 min.
	Interval time.Duration
	// LeaseTTL is how long after its last sign of life a server counts as dead. Twice
	// Interval, and 1 min at the least.
	LeaseTTL time.Duration
	// Chunk is how many rows one transaction deletes at the most. 1000.
	Chunk int

	// How long each is kept; 0 keeps it for ever.
	SignalsRetention time.Duration
	AuditRetention   time.Duration
	MetricsRetention time.Duration
	// PartitionsAhead is for how many months ahead partitions are made (PostgreSQL).
	PartitionsAhead int
	// MoveLimit is how many signals a month of the default partition may have for a server
	// to move them home (PostgreSQL): inserts wait meanwhile, and a person had better
	// choose the time to move more. 50,000.
	MoveLimit int
}

const (
	defaultInterval = 5 * time.Minute
	leastTTL        = time.Minute
	defaultChunk    = 1000
	defaultMove     = 50_000
)

// WithDefaults returns a copy in which zero fields hold their defaults.
func (c Config) WithDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = metrics.NewSet()
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.LeaseTTL == 0 {
		c.LeaseTTL = max(2*c.Interval, leastTTL)
	}
	if c.Chunk == 0 {
		c.Chunk = defaultChunk
	}
	if c.MoveLimit == 0 {
		c.MoveLimit = defaultMove
	}
	return c
}

func (c *Config) validate() error {
	switch {
	case c.Store == nil:
		return errors.New("Config.Store is missing")
	case c.Holder == "":
		return errors.New("Config.Holder is missing")
	case c.Interval < 0:
		return fmt.Errorf("upkeep.interval is %v: give a time above 0", c.Interval)
	case c.LeaseTTL <= c.Interval:
		return fmt.Errorf("the lease lasts %v: it must outlast upkeep.interval (%v)", c.LeaseTTL, c.Interval)
	case c.Chunk < 0:
		return fmt.Errorf("Config.Chunk is %d: give 1 or more", c.Chunk)
	case c.MoveLimit < 0:
		return fmt.Errorf("Config.MoveLimit is %d: give 1 or more", c.MoveLimit)
	}
	for _, r := range []struct {
		key   string
		value time.Duration
	}{
		{"signals.retention", c.SignalsRetention},
		{"audit.retention", c.AuditRetention},
		{"metrics.retention", c.MetricsRetention},
	} {
		if r.value < 0 {
			return fmt.Errorf("%s is %v: give 0 or more", r.key, r.value)
		}
	}
	return nil
}
