package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// stalled is a real store that answers one question when it is let.
type stalled struct {
	model.Store
	came, let chan struct{}
}

func (s *stalled) UserCountBcrypt(ctx context.Context) (int64, error) {
	s.came <- struct{}{}
	select {
	case <-s.let:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return s.Store.UserCountBcrypt(ctx)
}

// Whether hashes of imported users are left is asked now and then, by one login; the
// others do not wait for the answer. Until there is one, refusals cost as if some were.
func TestLoginsDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	s := &stalled{came: make(chan struct{}), let: make(chan struct{})}
	b := onSQLite(t, func(c *auth.Config) {
		s.Store, c.Store = c.Store, s
		c.HashConcurrency = 2
	})
	t.Cleanup(func() { close(s.let) })
	b.register("ann")
	try := func(pw string) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := b.Login(ctx, auth.LoginParams{Username: "ann", Password: pw, Client: home()})
		return err
	}
	for _, bcrypts := range []uint64{1, 0} { // the second time it is known that there are none
		first := make(chan error, 1)
		go func() { first <- try(password) }()
		<-s.came
		second := make(chan error, 1)
		go func() { second <- try(password) }()
		select {
		case err := <-second:
			ok(t, err)
		case <-time.After(10 * time.Second):
			t.Fatal("a login waits for what another one asks")
		}
		_, before := b.hashes()
		if err := try("not the password"); !errors.Is(err, auth.ErrBadCredentials) {
			t.Errorf("%v", err)
		}
		if _, after := b.hashes(); after-before != bcrypts {
			t.Errorf("a refusal took %d hashes of bcrypt, want %d", after-before, bcrypts)
		}
		s.let <- struct{}{}
		ok(t, <-first)
		b.clock.Advance(11 * time.Minute)
	}
}
