package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/model"
)

// No server can be made to say these on demand: what it, or a pooler before it, says when
// a commit may have happened is not told as if nothing had.
func TestErrorsInDoubt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		severity, code string
		unknown        bool
	}{
		{"FATAL", "08P01", true}, {"ERROR", "08006", true}, {"ERROR", "08007", true}, {"ERROR", "40003", true},
		{"FATAL", "57P02", true}, {"PANIC", "58030", true}, {"PANIC", "53100", true},
		{"FATAL", "57P01", false}, {"FATAL", "57P03", false}, {"ERROR", "53100", false}, {"ERROR", "40001", false},
	} {
		answered := &pgconn.PgError{SeverityUnlocalized: c.severity, Code: c.code}
		for during, err := range map[string]error{
			"a statement": answered, "a commit": fmt.Errorf("commit: %w", answered),
			"a statement before the commit": beforeCommit(answered), "connecting": &pgconn.ConnectError{},
		} {
			if during == "connecting" {
				err = errors.Join(err, answered)
			}
			got := translate("SignalInsert", err)
			unknown := c.unknown && (during == "a statement" || during == "a commit")
			if !errors.Is(got, model.ErrUnavailable) || errors.Is(got, model.ErrInterrupted) != unknown {
				t.Errorf("%s %s during %s: %v; the outcome is unknown: want %v", c.severity, c.code, during, got, unknown)
			}
		}
	}
}
