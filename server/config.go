package server

import (
	"fmt"
	"time"
)

// AuthOpen is the mode without accounts: whoever is on this machine may call.
const AuthOpen = "open"

// Config holds the settings of the server. Zero fields get a default, but for
// those whose zero says something.
type Config struct {
	// AuthMode is AuthOpen, the only mode of this version.
	AuthMode string
	// RequestTimeout bounds the work on one request.
	RequestTimeout time.Duration
	// ReadHeaderTimeout, ReadTimeout and IdleTimeout bound slow and idle clients.
	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	IdleTimeout       time.Duration
	// ShutdownTimeout bounds the whole shutdown, DrainDelay included.
	ShutdownTimeout time.Duration
	// DrainDelay is how long requests are still taken after readiness went off.
	// Zero is none.
	DrainDelay time.Duration
	// MaxBodyBytes is the largest request body.
	MaxBodyBytes int64
	// MaxJSONDepth is the deepest nesting of arrays and objects in a body.
	MaxJSONDepth int
	// MaxPage is the most rows in one page of a list.
	MaxPage int
	// StaleAfter is how long a neuron may be silent and still count as healthy.
	StaleAfter time.Duration
	// IdempotencyTTL is how long an Idempotency-Key is remembered.
	IdempotencyTTL time.Duration
	// AccessSample is the part of the requests that is logged, from 0 to 1. Server
	// errors are always logged. Zero is none.
	AccessSample float64
}

// WithDefaults returns a copy in which zero fields hold their defaults.
func (c Config) WithDefaults() Config {
	setDefault(&c.AuthMode, AuthOpen)
	setDefault(&c.RequestTimeout, 10*time.Second)
	setDefault(&c.ReadHeaderTimeout, 5*time.Second)
	setDefault(&c.ReadTimeout, 30*time.Second)
	setDefault(&c.IdleTimeout, 2*time.Minute)
	setDefault(&c.ShutdownTimeout, 20*time.Second)
	setDefault(&c.MaxBodyBytes, 16<<20)
	setDefault(&c.MaxJSONDepth, 64)
	setDefault(&c.MaxPage, 1000)
	setDefault(&c.StaleAfter, 5*time.Minute)
	setDefault(&c.IdempotencyTTL, 24*time.Hour)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	if c.AuthMode != AuthOpen {
		return fmt.Errorf("auth.mode %q is unknown: this version knows %q alone", c.AuthMode, AuthOpen)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"server.request_timeout", c.RequestTimeout},
		{"server.read_header_timeout", c.ReadHeaderTimeout},
		{"server.read_timeout", c.ReadTimeout},
		{"server.idle_timeout", c.IdleTimeout},
		{"server.shutdown_timeout", c.ShutdownTimeout},
		{"neurons.stale_after", c.StaleAfter},
		{"idempotency.ttl", c.IdempotencyTTL},
	} {
		if d.value < 0 {
			return fmt.Errorf("%s is %v: give a time above 0", d.key, d.value)
		}
	}
	switch {
	case c.DrainDelay < 0 || c.DrainDelay >= c.ShutdownTimeout:
		return fmt.Errorf("server.drain_delay is %v: give 0 or more, less than server.shutdown_timeout (%v)", c.DrainDelay, c.ShutdownTimeout)
	case c.MaxBodyBytes < 1:
		return fmt.Errorf("server.max_body_bytes is %d: give at least 1", c.MaxBodyBytes)
	case c.MaxJSONDepth < 1:
		return fmt.Errorf("server.max_json_depth is %d: give at least 1", c.MaxJSONDepth)
	case c.MaxPage < 1:
		return fmt.Errorf("server.max_page is %d: give at least 1", c.MaxPage)
	case c.AccessSample < 0 || c.AccessSample > 1:
		return fmt.Errorf("log.access_sample is %v: give a fraction from 0 to 1", c.AccessSample)
	}
	return nil
}
