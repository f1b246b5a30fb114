package loadtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A token is renewed before it expires, once, and nobody shows the old one afterwards.
func TestAccountRenews(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	renewed := 0
	var valid sync.Map // tokens that the server would take
	valid.Store("token 0", true)
	a := newAccount(&Account{AccessToken: "token 0", RefreshToken: "r", ExpiresAt: start.Add(15 * time.Minute)}, &renewer{
		lead: time.Minute,
		renew: func(a *Account) error {
			valid.Delete(a.AccessToken)
			renewed++
			a.AccessToken = fmt.Sprintf("token %d", renewed)
			valid.Store(a.AccessToken, true)
			a.ExpiresAt = a.ExpiresAt.Add(15 * time.Minute)
			return nil
		},
	}, start)
	for minute := range 30 {
		var users sync.WaitGroup
		together := make(chan struct{})
		for user := range 50 {
			users.Go(func() {
				<-together
				if err := a.begin(start.Add(time.Duration(minute)*time.Minute + time.Duration(user))); err != nil {
					t.Error(err)
					return
				}
				if _, ok := valid.Load(a.AccessToken); !ok {
					t.Errorf("minute %d: %s is void", minute, a.AccessToken)
				}
				a.end()
			})
		}
		close(together)
		users.Wait()
	}
	if renewed != 2 {
		t.Errorf("renewed %d times in half an hour", renewed)
	}
	// Whoever comes second finds it done.
	for range 2 {
		if err := a.renew(start.Add(44 * time.Minute)); err != nil || renewed != 3 {
			t.Errorf("renewed %d times: %v", renewed, err)
		}
	}
}

func TestAccountThatCannotRenew(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	asked := 0
	a := newAccount(&Account{AccessToken: "x", Password: "p", ExpiresAt: start}, &renewer{
		lead: time.Minute, renew: func(*Account) error { asked++; return errors.New("no") },
	}, start)
	for ms := range 1500 {
		if err := a.begin(start.Add(time.Duration(ms) * time.Millisecond)); err == nil {
			a.end()
		}
	}
	if asked != 2 {
		t.Errorf("a server that refuses was asked %d times in a second and a half", asked)
	}
	given := newAccount(&Account{AccessToken: "x", ExpiresAt: start}, nil, start)
	given.renewsNever(t, start.Add(time.Hour))
}

func (a *account) renewsNever(t *testing.T, now time.Time) {
	t.Helper()
	if err := a.begin(now); err != nil {
		t.Errorf("a token without means to renew it: %v", err)
		return
	}
	a.end()
}
