package loadtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Account is somebody with a token. In a file of accounts each stands as JSON on a line
// of its own.
type Account struct {
	Username    string `json:"username"`
	Password    string `json:"password,omitempty"`
	AccessToken string `json:"access_token"`
	// RefreshToken renews the access token before it expires.
	RefreshToken string `json:"refresh_token,omitempty"`
	// ExpiresAt is when the access token does; zero for never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// ReadAccounts reads accounts, one JSON object a line.
func ReadAccounts(r io.Reader) ([]Account, error) {
	var all []Account
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var a Account
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("line %d is no account: %w", n, err)
		}
		if a.AccessToken == "" {
			return nil, fmt.Errorf("line %d: access_token is missing", n)
		}
		all = append(all, a)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no account in the file")
	}
	return all, nil
}

// account is an account in use by any number of users.
type account struct {
	// mu is held for reading while a user shows the token: a refresh voids the old one,
	// so it waits for those and keeps others from beginning.
	mu sync.RWMutex
	Account

	// renewAt is when to renew the token; zero for never.
	renewAt time.Time
	renews  *renewer
}

// renewer gives an account a new token.
type renewer struct {
	renew func(a *Account) error
	// lead is how long before a token's end it is renewed.
	lead time.Duration
}

func newAccount(a *Account, renews *renewer, now time.Time) *account {
	acc := &account{Account: *a, renews: renews}
	acc.plan(now)
	return acc
}

// plan sets when to renew the token: the lead before its end, or after two thirds of a
// short life.
func (a *account) plan(now time.Time) {
	a.renewAt = time.Time{}
	if !a.ExpiresAt.IsZero() && (a.RefreshToken != "" || a.Password != "") {
		a.renewAt = a.ExpiresAt.Add(-max(0, min(a.renews.lead, a.ExpiresAt.Sub(now)/3)))
	}
}

// begin lends the account to a journey, which calls end. The token is renewed first
// where it is time.
func (a *account) begin(now time.Time) error {
	for {
		a.mu.RLock()
		if a.renewAt.IsZero() || now.Before(a.renewAt) {
			return nil
		}
		a.mu.RUnlock()
		if err := a.renew(now); err != nil {
			return err
		}
	}
}

func (a *account) end() { a.mu.RUnlock() }

func (a *account) renew(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.renewAt) {
		return nil // another user did it
	}
	if err := a.renews.renew(&a.Account); err != nil {
		// Not again for each journey: a server that refuses is not to be flooded.
		a.renewAt = now.Add(time.Second)
		return err
	}
	a.plan(now)
	return nil
}
