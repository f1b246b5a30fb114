package hal9

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/clients/go/api"
)

// Client calls one service.
type Client struct {
	// The generated methods. None returns an answer of status 400 or above: that is a
	// *Problem.
	*api.ClientWithResponses

	base string
	t    *transport
}

// settings are what options change.
type settings struct {
	http    *http.Client
	agent   string
	retries Retries
	source  tokenSource
}

// Option changes what New makes.
type Option func(*settings) error

// WithHTTPClient sends requests by this client. By default it is one without a timeout of
// its own: the context of a call says how long it may take.
func WithHTTPClient(c *http.Client) Option {
	return func(s *settings) error {
		s.http = c
		return nil
	}
}

// WithUserAgent names the program in the service's list of sessions.
func WithUserAgent(agent string) Option {
	return func(s *settings) error {
		s.agent = agent
		return nil
	}
}

// WithRetries says how often and how patiently requests are repeated.
func WithRetries(r Retries) Option {
	return func(s *settings) error {
		s.retries = r
		return nil
	}
}

// New returns a client of the service at an address such as https://hal9.example.org. It
// asks nothing yet.
func New(address string, options ...Option) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("hal9: %q is no address of a service: give one such as http://localhost:8080", address)
	}
	base := strings.TrimRight(address, "/")
	s := settings{http: &http.Client{}, agent: "hal9-go"}
	for _, option := range options {
		if err := option(&s); err != nil {
			return nil, err
		}
	}
	t := &transport{http: s.http, agent: s.agent, retries: s.retries.withDefaults(), sleep: sleep, base: base, path: strings.TrimRight(u.Path, "/")}
	if s.source != nil {
		t.credentials = s.source(base, t)
	}
	generated, err := api.NewClientWithResponses(base, api.WithHTTPClient(t))
	if err != nil {
		return nil, fmt.Errorf("hal9: %w", err)
	}
	return &Client{ClientWithResponses: generated, base: base, t: t}, nil
}

// Retries says how often and how patiently requests are repeated. Zero fields hold the
// defaults.
type Retries struct {
	// Attempts is how often a request is sent at most. 5; 1 never repeats.
	Attempts int
	// Base is the longest pause before the first repetition; each further one may be
	// twice as long, up to Longest. The pause itself is drawn between nothing and that,
	// so that many clients do not come back together. 100 ms and 5 s.
	Base, Longest time.Duration
	// LongestAsked is the longest Retry-After that is waited for; a service that asks for
	// more gets no repetition. 30 s.
	LongestAsked time.Duration
}

func (r Retries) withDefaults() Retries {
	if r.Attempts <= 0 {
		r.Attempts = 5
	}
	if r.Base <= 0 {
		r.Base = 100 * time.Millisecond
	}
	if r.Longest <= 0 {
		r.Longest = 5 * time.Second
	}
	if r.LongestAsked <= 0 {
		r.LongestAsked = 30 * time.Second
	}
	return r
}
