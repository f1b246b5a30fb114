package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/internal/pgurl"
	"github.com/hal9-ai/hal9/model"
)

// SQLSTATEs that are told apart: https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	codeNotNullViolation    = "23502"
	codeForeignKeyViolation = "23503"
	codeUniqueViolation     = "23505"
	codeCheckViolation      = "23514"
	codeReadOnly            = "25006"
	codeInFailedTransaction = "25P02"
	codeNoPrivilege         = "42501"
	codeQueryCanceled       = "57014"
	codeLockNotAvailable    = "55P03"
	codeProgramLimit        = "54000"
	codeCrashShutdown       = "57P02"
	codeCompletionUnknown   = "40003"
)

// translate turns an error of the driver into the service's own. It is the only
// place that reads SQLSTATEs; message texts are never read.
func translate(query string, err error) error {
	if err == nil {
		return nil
	}
	if _, own := errors.AsType[*model.Error](err); own {
		return err
	}
	out := &model.Error{Entity: model.EntityOf(query), Cause: err}
	var pg *pgconn.PgError
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		out.Kind, out.Cause = model.ErrNotFound, nil
	case connecting && !ended:
		out.Kind, out.Reason = model.ErrUnavailable, pgurl.Why(err)
	case errors.As(err, &pg) && inDoubt(pg) && !nothingSent(err):
		out.Kind = model.ErrInterrupted
	case errors.As(err, &pg):
		classify(out, pg)
		if mend, found := pgurl.Pooler(err); found {
			out.Reason = mend
		}
	case errors.Is(err, context.Canceled):
		out.Kind = context.Canceled
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		out.Kind = model.ErrTimeout
	case nothingSent(err):
		out.Kind, out.Reason = model.ErrUnavailable, "the connection failed"
	default:
		// What is left is a connection that broke while the engine worked: it may have
		// committed, and only its answer is lost.
		out.Kind = model.ErrInterrupted
	}
	return out
}

// nothingSent tells whether a call certainly had no effect: no connection could be
// made, or it broke before the statement was sent.
func nothingSent(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return connecting || pgconn.SafeToRetry(err)
}

// withoutEffectError marks an error of a call that had no effect, whatever broke: nothing
// was sent yet, or the transaction was not told to commit.
type withoutEffectError struct{ error }

// SafeToRetry is how pgconn's own errors say it.
func (withoutEffectError) SafeToRetry() bool { return true }

func (e withoutEffectError) Unwrap() error { return e.error }

// inDoubt tells whether a statement, or a commit, may have taken effect although the answer
// to it is an error: a pooler that lost the server says so by a code of class 08, and a
// server that cannot write its log, or that was stopped because another process of it
// crashed, may have done so after the commit was on the disk. What a server says when it
// is shut down (57P01) is no such answer: it heeds that before a commit or after its end.
func inDoubt(pg *pgconn.PgError) bool {
	switch {
	case pg.SeverityUnlocalized == "PANIC", pg.Code == codeCrashShutdown, pg.Code == codeCompletionUnknown:
		return true
	default:
		return strings.HasPrefix(pg.Code, "08")
	}
}

func classify(out *model.Error, pg *pgconn.PgError) {
	switch pg.Code {
	case codeUniqueViolation:
		out.Kind, out.Field = model.ErrConflict, constraintField(pg)
	case codeForeignKeyViolation:
		out.Kind, out.Field, out.Reason = model.ErrInvalid, constraintField(pg), "must name a row that exists"
	case codeCheckViolation:
		out.Kind, out.Field, out.Reason = model.ErrInvalid, constraintField(pg), "is outside its bounds"
	case codeNotNullViolation:
		out.Kind, out.Field, out.Reason = model.ErrInvalid, pg.ColumnName, "must be given"
	case codeProgramLimit:
		out.Kind, out.Reason = model.ErrInvalid, "is too large"
	case codeReadOnly:
		out.Kind = model.ErrReadOnly
	case codeQueryCanceled:
		out.Kind = model.ErrTimeout
	case codeLockNotAvailable:
		out.Kind, out.Reason = model.ErrUnavailable, "a lock was not free in time"
	case codeNoPrivilege:
		out.Kind, out.Reason = model.ErrInternal, "the role may not do this: 'hal9 migrate grant ROLE', by the owner of the tables, gives it what a server needs"
	case codeInFailedTransaction:
		out.Kind, out.Reason = model.ErrInternal, "an earlier statement of the transaction failed"
	default:
		classifyByClass(out, pg.Code)
	}
}

func classifyByClass(out *model.Error, code string) {
	switch code[:min(2, len(code))] {
	case "22": // data exception
		out.Kind, out.Reason = model.ErrInvalid, "holds a value that cannot be stored"
	case "40": // serialization failure, deadlock
		out.Kind, out.Reason = model.ErrUnavailable, "it collided with another transaction"
	case "28": // invalid authorization
		out.Kind, out.Reason = model.ErrUnavailable, "the user or the password was refused"
	case "3D": // invalid catalog name
		out.Kind, out.Reason = model.ErrUnavailable, "there is no such database"
	case "08", "53", "57", "58": // connection, resources, shutdown, system
		out.Kind = model.ErrUnavailable
	default:
		out.Kind = model.ErrInternal
	}
}

// constraintField finds the field in a constraint's name, which by the migrations'
// rule is table_field_key, table_field_fkey or table_field_check, and table_pkey.
func constraintField(pg *pgconn.PgError) string {
	name := strings.TrimPrefix(pg.ConstraintName, pg.TableName+"_")
	if pg.TableName != "" && strings.HasPrefix(pg.TableName, "signals_") {
		// A partition reports its own name; its constraints bear the parent's, its
		// primary key its own.
		name = strings.TrimPrefix(pg.ConstraintName, pg.TableName+"_")
		name = strings.TrimPrefix(name, "signals_")
	}
	if name == "pkey" || strings.HasSuffix(name, "_pkey") {
		return "id"
	}
	for _, suffix := range []string{"_fkey", "_key", "_check"} {
		if field, ok := strings.CutSuffix(name, suffix); ok {
			return field
		}
	}
	return ""
}
