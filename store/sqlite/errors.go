package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/hal9-ai/hal9/model"
)

// translate turns an error of the driver into the service's own. What kind it is the
// extended result code says (https://www.sqlite.org/rescode.html); the message is
// read only for the name of the constraint, which SQLite tells nowhere else.
func translate(query string, err error) error {
	if err == nil {
		return nil
	}
	if _, own := errors.AsType[*model.Error](err); own {
		return err
	}
	out := &model.Error{Entity: model.EntityOf(query), Cause: err}
	var lite *sqlite.Error
	switch {
	case errors.Is(err, sql.ErrNoRows):
		out.Kind, out.Cause = model.ErrNotFound, nil
	case errors.Is(err, context.Canceled):
		out.Kind = context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		out.Kind = model.ErrTimeout
	case errors.As(err, &lite):
		classify(out, lite)
	case errors.Is(err, sql.ErrConnDone):
		out.Kind, out.Reason = model.ErrUnavailable, "the database is closed"
	default:
		out.Kind = model.ErrInternal
	}
	return out
}

func classify(out *model.Error, lite *sqlite.Error) {
	switch lite.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		out.Kind, out.Field = model.ErrConflict, columnIn(lite.Error())
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		out.Kind, out.Field, out.Reason = model.ErrInvalid, foreignKeyField(out.Entity), "must name a row that exists"
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		out.Kind, out.Field, out.Reason = model.ErrInvalid, checkFieldIn(lite.Error(), out.Entity), "is outside its bounds"
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		out.Kind, out.Field, out.Reason = model.ErrInvalid, columnIn(lite.Error()), "must be given"
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		out.Kind = model.ErrReadOnly // a fence's: no other trigger refuses anything
	case sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC:
		// The commit stands in the log, whole, and is given up: the next one is written over
		// it. Should the process end before, whoever opens the file finds it and takes it in.
		out.Kind, out.Reason = model.ErrInterrupted, "the file could not be brought to the disk"
	default:
		classifyPrimary(out, lite.Code()&0xff)
	}
}

func classifyPrimary(out *model.Error, code int) {
	switch code {
	case sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		out.Kind, out.Reason = model.ErrInvalid, "holds a value that cannot be stored"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		out.Kind, out.Reason = model.ErrUnavailable, "the file is locked by another process"
	case sqlite3.SQLITE_READONLY:
		out.Kind = model.ErrReadOnly
	case sqlite3.SQLITE_FULL:
		out.Kind, out.Reason = model.ErrUnavailable, "the disk is full"
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		out.Kind, out.Reason = model.ErrUnavailable, "the file cannot be read or written"
	case sqlite3.SQLITE_NOTADB:
		out.Kind, out.Reason = model.ErrInternal, "the file is no SQLite database"
	case sqlite3.SQLITE_CORRUPT:
		out.Kind, out.Reason = model.ErrInternal, "the file is damaged"
	case sqlite3.SQLITE_INTERRUPT:
		out.Kind = model.ErrTimeout
	default:
		out.Kind = model.ErrInternal
	}
}

// columnIn reads "… constraint failed: users.username (2067)"; of several columns
// the first one is named.
func columnIn(message string) string {
	_, names, ok := strings.Cut(message, "constraint failed: ")
	if !ok {
		return ""
	}
	if i := strings.LastIndex(names, "constraint failed: "); i >= 0 {
		names = names[i+len("constraint failed: "):]
	}
	first, _, _ := strings.Cut(names, ",")
	first, _, _ = strings.Cut(first, " ")
	_, column, _ := strings.Cut(first, ".")
	return column
}

// checkFieldIn reads "CHECK constraint failed: neurons_id_check (275)": by the
// migrations' rule the name is table_field_check. The table is told by its entity.
func checkFieldIn(message, entity string) string {
	i := strings.LastIndex(message, "constraint failed: ")
	if i < 0 {
		return ""
	}
	name, _, _ := strings.Cut(message[i+len("constraint failed: "):], " ")
	name = strings.TrimSuffix(name, "_check")
	for _, table := range tablesOf(entity) {
		if field, ok := strings.CutPrefix(name, table+"_"); ok {
			return field
		}
	}
	return ""
}

func tablesOf(entity string) []string {
	switch entity {
	case "memory":
		return []string{"memories"}
	case "metric":
		return []string{"metrics_aggregate"}
	case "audit":
		return []string{"audit_log"}
	default:
		return []string{entity + "s", entity}
	}
}

// foreignKeyField names the one foreign key that an entity has: SQLite does not say
// which one failed.
func foreignKeyField(entity string) string {
	switch entity {
	case "session", "api_key", "legacy_detail":
		return "user_id"
	case "refresh_token":
		return "session_id"
	case "neuron_activity":
		return "neuron_id"
	default:
		return ""
	}
}

// spoilsBatch tells whether an error may have rolled back the whole transaction, not
// only its own statement: https://www.sqlite.org/lang_transaction.html, "Response To
// Errors Within A Transaction".
func spoilsBatch(err error) bool {
	var lite *sqlite.Error
	if !errors.As(err, &lite) {
		return true
	}
	switch lite.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return false
	default:
		return true
	}
}
