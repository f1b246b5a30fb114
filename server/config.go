package server

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// The modes of access.
const (
	// AuthOpen lets in whoever is on this machine; an account brings more.
	AuthOpen = "open"
	// AuthRequired asks everybody for an account.
	AuthRequired = "required"
)

// Config holds the settings of the server. Zero fields get a default, but for
// those whose zero says something.
type Config struct {
	// AuthMode is AuthOpen by default.
	AuthMode string
	// MetricsPublic lets everybody read /metrics with AuthRequired too.
	MetricsPublic bool
	// TLSCert and TLSKey are files in PEM; empty serves without TLS.
	TLSCert, TLSKey string
	// TLSReload is how often the files are looked at. 10 s.
	TLSReload time.Duration
	// HSTSMaxAge is for how long browsers are told to use HTTPS alone. Zero does not
	// tell them.
	HSTSMaxAge time.Duration
	// TrustedProxies are the addresses whose X-Forwarded-For and Forwarded are read.
	TrustedProxies []netip.Prefix
	// CORSOrigins are the origins whose pages may call, spelt as browsers spell them.
	CORSOrigins []string
	// Limits are off by default.
	Limits Limits
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
	// BulkStreams is how many streams of signals are taken at a time.
	BulkStreams int
	// BulkChunkRows is how many signals of a stream commit together.
	BulkChunkRows int
	// BulkIdleTimeout is how long a stream may bring nothing.
	BulkIdleTimeout time.Duration
	// BulkMinRate is how many bytes a second a stream must bring, while the server waits
	// for it, to keep its place when another stream needs one.
	BulkMinRate int64
	// BulkCommitTimeout bounds the commit of one chunk.
	BulkCommitTimeout time.Duration
	// Streams is how many may listen to the stream of signals, StreamsPerClient how many
	// of them for one user or address; zero of those is no limit.
	Streams, StreamsPerClient int
	// StreamHeartbeat is how long such a stream is silent at the most.
	StreamHeartbeat time.Duration
	// StreamRenew is how often a listener's credential is looked at again.
	StreamRenew time.Duration
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
	setDefault(&c.BulkStreams, 4)
	setDefault(&c.BulkChunkRows, 5000)
	setDefault(&c.BulkIdleTimeout, 30*time.Second)
	setDefault(&c.BulkMinRate, 16<<10)
	setDefault(&c.BulkCommitTimeout, time.Minute)
	setDefault(&c.Streams, 2000)
	setDefault(&c.StreamHeartbeat, 15*time.Second)
	setDefault(&c.StreamRenew, streamRenew)
	setDefault(&c.TLSReload, 10*time.Second)
	setDefault(&c.Limits.Window, time.Minute)
	setDefault(&c.Limits.RequestsDelay, 100*time.Millisecond)
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
	if c.AuthMode != AuthOpen && c.AuthMode != AuthRequired {
		return fmt.Errorf("auth.mode %q is unknown: give %q or %q", c.AuthMode, AuthOpen, AuthRequired)
	}
	if bad := checkOrigins(c.CORSOrigins); bad != "" {
		return fmt.Errorf("server.cors_origins: %q is no origin; write https://app.example.org", bad)
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
		{"ingest.bulk_idle_timeout", c.BulkIdleTimeout},
		{"stream.heartbeat", c.StreamHeartbeat},
		{"neurons.stale_after", c.StaleAfter},
		{"idempotency.ttl", c.IdempotencyTTL},
		{"server.hsts_max_age", c.HSTSMaxAge},
		{"limits.window", c.Limits.Window},
		{"limits.requests_delay", c.Limits.RequestsDelay},
		{"limits.refusal_pause", c.Limits.RefusalPause},
	} {
		if d.value < 0 {
			return fmt.Errorf("%s is %v: give a time above 0", d.key, d.value)
		}
	}
	switch {
	case c.TLSCert == "" != (c.TLSKey == ""):
		return errors.New("server.tls_cert and server.tls_key are of use together alone: set both or neither")
	case c.Limits.PerKey < 0 || c.Limits.PerAddress < 0 || c.Limits.Requests < 0:
		return errors.New("limits.per_key, limits.per_address and limits.requests are numbers of requests: give 0 or more")
	case c.DrainDelay < 0 || c.DrainDelay >= c.ShutdownTimeout:
		return fmt.Errorf("server.drain_delay is %v: give 0 or more, less than server.shutdown_timeout (%v)", c.DrainDelay, c.ShutdownTimeout)
	case c.MaxBodyBytes < 1:
		return fmt.Errorf("server.max_body_bytes is %d: give at least 1", c.MaxBodyBytes)
	case c.MaxJSONDepth < 1:
		return fmt.Errorf("server.max_json_depth is %d: give at least 1", c.MaxJSONDepth)
	case c.MaxPage < 1:
		return fmt.Errorf("server.max_page is %d: give at least 1", c.MaxPage)
	case c.BulkStreams < 1:
		return fmt.Errorf("ingest.bulk_streams is %d: give at least 1", c.BulkStreams)
	case c.Streams < 1 || c.StreamsPerClient < 0:
		return fmt.Errorf("limits.streams is %d and limits.streams_per_client %d: give at least 1 and 0", c.Streams, c.StreamsPerClient)
	case c.BulkMinRate < 0:
		return fmt.Errorf("ingest.bulk_min_rate is %d: give at least 1", c.BulkMinRate)
	case c.BulkChunkRows < 1:
		return fmt.Errorf("ingest.bulk_chunk_rows is %d: give at least 1", c.BulkChunkRows)
	case c.AccessSample < 0 || c.AccessSample > 1:
		return fmt.Errorf("log.access_sample is %v: give a fraction from 0 to 1", c.AccessSample)
	}
	return nil
}
