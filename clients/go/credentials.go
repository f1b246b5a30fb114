package hal9

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hal9-ai/hal9/clients/go/api"
)

// errCredential is around all failures to get a credential.
var errCredential = errors.New("no credential")

// renewBefore is how long before its end an access token is renewed.
const renewBefore = 30 * time.Second

// credentials give the token that a request shows.
type credentials interface {
	token(ctx context.Context) (string, error)
	// expired says that a token was refused, and returns whether another one can be had.
	expired(token string) bool
}

type tokenSource func(base string, t *transport) credentials

// WithAPIKey shows this key: the way for programs, since there is nothing to renew.
func WithAPIKey(key string) Option {
	return func(s *settings) error {
		if key == "" {
			return errors.New("hal9: the API key is empty")
		}
		s.source = func(string, *transport) credentials { return fixed(key) }
		return nil
	}
}

type fixed string

func (f fixed) token(context.Context) (string, error) { return string(f), nil }
func (fixed) expired(string) bool                     { return false }

// WithLogin logs in with a password when the first request is made, and again when the
// session has ended.
func WithLogin(username, password string) Option {
	return func(s *settings) error {
		if username == "" || password == "" {
			return errors.New("hal9: a login needs a username and a password")
		}
		s.source = func(base string, t *transport) credentials {
			return &session{base: base, t: t, login: &api.LoginBody{Username: username, Password: password}}
		}
		return nil
	}
}

// Tokens are those of one session.
type Tokens struct {
	Access  string
	Expires time.Time // of the access token; zero if unknown
	Refresh string
}

// WithTokens goes on with a session. A refresh token is good for one refresh, so one
// program at a time may hold it; store is given the next ones, before they are used, and
// may be nil.
func WithTokens(tokens Tokens, store func(context.Context, Tokens) error) Option {
	return func(s *settings) error {
		if tokens.Refresh == "" {
			return errors.New("hal9: the refresh token is empty")
		}
		s.source = func(base string, t *transport) credentials {
			return &session{base: base, t: t, tokens: tokens, store: store}
		}
		return nil
	}
}

// session renews tokens. One renewal runs at a time, since a refresh token that comes
// twice looks stolen and ends the session.
type session struct {
	base  string
	t     *transport
	login *api.LoginBody // nil: there is no password
	store func(context.Context, Tokens) error

	once   sync.Once
	turn   chan struct{} // holds one while somebody has the tokens
	tokens Tokens
}

func (s *session) acquire(ctx context.Context) error {
	s.once.Do(func() { s.turn = make(chan struct{}, 1) })
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hal9: %w: %w", errCredential, ctx.Err())
	}
}

func (s *session) release() { <-s.turn }

func (s *session) token(ctx context.Context) (string, error) {
	if err := s.acquire(ctx); err != nil {
		return "", err
	}
	defer s.release()
	if s.tokens.Access != "" && (s.tokens.Expires.IsZero() || time.Until(s.tokens.Expires) > renewBefore) {
		return s.tokens.Access, nil
	}
	if err := s.renew(ctx); err != nil {
		return "", fmt.Errorf("hal9: %w: %w", errCredential, err)
	}
	return s.tokens.Access, nil
}

func (s *session) expired(token string) bool {
	if s.acquire(context.Background()) != nil {
		return false
	}
	defer s.release()
	if s.tokens.Access == token {
		s.tokens.Access = ""
	}
	return true
}

// renew refreshes, or logs in where that is not possible (any more). A refresh is asked
// for once: if its answer is lost, the token may be used up.
func (s *session) renew(ctx context.Context) error {
	var refused error
	if refresh := s.tokens.Refresh; refresh != "" {
		grant, err := s.refresh(ctx, refresh)
		if err == nil {
			return s.keep(ctx, grant)
		}
		if refused = err; StatusOf(err) == 0 || StatusOf(err) == http.StatusUnauthorized {
			s.tokens = Tokens{}
		}
		if ctx.Err() != nil {
			return err
		}
	}
	if s.login == nil {
		if refused == nil {
			return errors.New("the session has ended: log in again")
		}
		return fmt.Errorf("refresh the session: %w", refused)
	}
	client, err := s.bare()
	if err != nil {
		return err
	}
	answer, err := client.AccountLoginWithResponse(ctx, *s.login)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if answer.JSON200 == nil {
		return errors.New("log in: the answer holds no tokens")
	}
	return s.keep(ctx, &answer.JSON200.Data)
}

func (s *session) refresh(ctx context.Context, token string) (*api.Grant, error) {
	client, err := s.bare()
	if err != nil {
		return nil, err
	}
	answer, err := client.AccountRefreshWithResponse(ctx, api.RefreshBody{RefreshToken: token})
	if err != nil {
		return nil, err
	}
	if answer.JSON200 == nil {
		return nil, errors.New("the answer holds no tokens")
	}
	return &answer.JSON200.Data, nil
}

func (s *session) keep(ctx context.Context, g *api.Grant) error {
	// By this machine's clock, which may differ from the service's.
	s.tokens = Tokens{Access: g.AccessToken, Refresh: g.RefreshToken, Expires: time.Now().Add(time.Duration(g.ExpiresIn) * time.Second)}
	if s.store == nil {
		return nil
	}
	if err := s.store(ctx, s.tokens); err != nil {
		return fmt.Errorf("store the new tokens: %w", err)
	}
	return nil
}

// bare is a client that shows no credential.
func (s *session) bare() (*api.ClientWithResponses, error) {
	t := *s.t
	t.credentials = nil
	client, err := api.NewClientWithResponses(s.base, api.WithHTTPClient(&t))
	if err != nil {
		return nil, fmt.Errorf("hal9: %w", err)
	}
	return client, nil
}
