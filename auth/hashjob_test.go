package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// What another process computes is what would be computed here, for all kinds of hashes;
// that it is busy is no failed guess.
func TestHashThere(t *testing.T) {
	t.Parallel()
	busy, asked := false, 0
	b := onSQLite(t, func(c *auth.Config) {
		c.FailuresPerAccount = 3
		c.Hash = auth.HashThere(func(_ context.Context, request []byte) ([]byte, error) {
			asked++
			if busy {
				return nil, &auth.BusyError{RetryAfter: time.Second}
			}
			return auth.AnswerHash(request), nil
		})
	})
	b.register("ann")
	old := string(must(bcrypt.GenerateFromPassword([]byte(password), 4))(t))
	b.importUser("old", old)
	for _, name := range []string{"ann", "old"} {
		if err := b.tryLogin(name, "wrong password", abroad()); !errors.Is(err, auth.ErrBadCredentials) {
			t.Errorf("%s: %v", name, err)
		}
		b.login(name)
		busy = true
		for range 5 {
			if _, ok := errors.AsType[*auth.BusyError](b.tryLogin(name, password, abroad())); !ok {
				t.Errorf("%s: not told that it is busy", name)
			}
		}
		busy = false
		if err := b.tryLogin(name, password, abroad()); err != nil {
			t.Errorf("%s, after it was busy: %v", name, err)
		}
	}
	user := must(b.store.UserGetByUsername(t.Context(), model.UserGetByUsernameParams{Username: "old"}))(t)
	if user.PasswordHash == old {
		t.Error("the old hash was not renewed")
	}
	if asked < 18 {
		t.Errorf("asked only %d times", asked)
	}
	for _, request := range []string{"", "{}", `{"do":"x"}`} {
		if answer := auth.AnswerHash([]byte(request)); len(answer) == 0 {
			t.Errorf("%q is not answered", request)
		}
	}
}
