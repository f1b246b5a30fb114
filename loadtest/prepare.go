package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoAccounts says that journeys need accounts and that there is no way to them.
var ErrNoAccounts = errors.New("the scenario needs accounts")

// ErrUnreachable says that nobody answers at the server's address.
var ErrUnreachable = errors.New("the server does not answer")

// preparation is what was found out and done before a run.
type preparation struct {
	// required is whether the server asks everybody for an account.
	required bool
	// hashesPerSecond is the rate of password hashes that was measured; 0 if it was not.
	hashesPerSecond float64
	// story tells how the accounts came by their tokens.
	story string
}

// loadPassword is that of throw-away accounts, as the original script has it.
const loadPassword = "SecurePassword123!"

// askMode finds out whether the server answers who shows nothing.
func askMode(ctx context.Context, t *target) (required bool, err error) {
	c := &client{target: t}
	defer c.drop()
	status, _, err := c.ask(ctx, http.MethodGet, "/api/v1/status", "", nil)
	if err != nil {
		return false, fmt.Errorf("%w at %s: %w", ErrUnreachable, t.url, err)
	}
	return status == http.StatusUnauthorized || status == http.StatusForbidden, nil
}

// register makes accounts and logs each in. With an admin's key they are made by the
// admins' route, which is there also where strangers may not register.
func register(ctx context.Context, t *target, n int, run, adminKey string) ([]Account, error) {
	all := make([]Account, n)
	err := inParallel(ctx, t, n, func(c *client, i int) error {
		a := Account{Username: fmt.Sprintf("load-%s-%d", run, i+1), Password: loadPassword}
		path := "/api/v1/auth/register"
		if adminKey != "" {
			path = "/api/v1/users"
		}
		credentials := map[string]string{"username": a.Username, "password": a.Password}
		status, body, err := patiently(ctx, c, path, adminKey, credentials)
		if err != nil {
			return err
		}
		if status == http.StatusForbidden && adminKey == "" {
			return fmt.Errorf("%w, and strangers may not register here: give an admin's key by --admin-key-file, or accounts by --accounts", ErrNoAccounts)
		}
		if status != http.StatusOK && status != http.StatusCreated {
			return fmt.Errorf("register %s: %d %.200s", a.Username, status, body)
		}
		if err := logIn(ctx, c, &a); err != nil {
			return err
		}
		all[i] = a
		return nil
	})
	return all, err
}

// patiently posts, and again while the server is too busy for it.
func patiently(ctx context.Context, c *client, path, bearer string, body any) (int, []byte, error) {
	for try := 0; ; try++ {
		status, answered, err := c.ask(ctx, http.MethodPost, path, bearer, body)
		if err != nil || status != http.StatusServiceUnavailable || try == 30 {
			return status, answered, err
		}
		select {
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// grant is what a login or a refresh gives.
type grant struct {
	Data struct {
		AccessToken  string          `json:"access_token"`
		RefreshToken string          `json:"refresh_token"`
		ExpiresAt    json.RawMessage `json:"expires_at"`
		ExpiresIn    float64         `json:"expires_in"`
	} `json:"data"`
}

func logIn(ctx context.Context, c *client, a *Account) error {
	status, body, err := patiently(ctx, c, "/api/v1/auth/login", "", map[string]string{"username": a.Username, "password": a.Password})
	if err != nil {
		return err
	}
	return a.take("log in", status, body)
}

// refresh renews the token of an account: by its refresh token, or by its password.
func refresh(ctx context.Context, c *client, a *Account) error {
	if a.RefreshToken == "" {
		return logIn(ctx, c, a)
	}
	status, body, err := c.ask(ctx, http.MethodPost, "/api/v1/auth/refresh", "", map[string]string{"refresh_token": a.RefreshToken})
	if err != nil {
		return err
	}
	if status == http.StatusUnauthorized && a.Password != "" {
		return logIn(ctx, c, a)
	}
	return a.take("refresh the token of", status, body)
}

// take reads a grant.
func (a *Account) take(what string, status int, body []byte) error {
	if status != http.StatusOK {
		return fmt.Errorf("%s %s: %d %.200s", what, a.Username, status, body)
	}
	var g grant
	if err := json.Unmarshal(body, &g); err != nil || g.Data.AccessToken == "" {
		return fmt.Errorf("%s %s: there is no token in the answer", what, a.Username)
	}
	a.AccessToken, a.RefreshToken = g.Data.AccessToken, g.Data.RefreshToken
	a.ExpiresAt = time.Time{}
	if err := json.Unmarshal(g.Data.ExpiresAt, &a.ExpiresAt); err != nil && g.Data.ExpiresIn > 0 {
		a.ExpiresAt = time.Now().Add(time.Duration(g.Data.ExpiresIn * float64(time.Second)))
	}
	return nil
}

// measureHashes logs in over and over for a time, and returns how many password hashes
// the server computed in a second. Enough logins are under way to keep all cores busy.
func measureHashes(ctx context.Context, t *target, accounts []Account, during time.Duration) (float64, error) {
	var done atomic.Int64
	begin := time.Now()
	workers := 2 * runtime.NumCPU()
	err := inParallel(ctx, t, workers, func(c *client, i int) error {
		a := accounts[i%len(accounts)]
		for time.Since(begin) < during {
			if err := logIn(ctx, c, &a); err != nil {
				return err
			}
			done.Add(1)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure how many passwords the server can hash: %w", err)
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// inParallel calls fn for each of n, a few at a time, each worker with a client of its
// own. The first error ends it.
func inParallel(ctx context.Context, t *target, n int, fn func(c *client, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, 2*runtime.NumCPU()) {
		workers.Go(func() {
			c := &client{target: t}
			defer c.drop()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := fn(c, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx) //nolint:wrapcheck // an error of fn, or of the context
}
