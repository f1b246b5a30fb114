package copydb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// fenceName begins the names of the triggers that refuse writes.
const fenceName = "hal9_fence"

// fencedTables are those that a fence stands around: the copied ones, and the lease
// without which no server does its housekeeping.
func fencedTables(tables []Table) []string {
	names := []string{"upkeep_leases"}
	for i := range tables {
		names = append(names, tables[i].Name)
	}
	return names
}

// Fence holds off every writer of a database, whichever server or program it is, until
// Lift: each table refuses changes with the reason, and readers notice nothing. When it
// returns, every transaction that wrote before has ended. Fencing again changes the
// reason.
func Fence(ctx context.Context, url, reason string) error {
	return withFence(ctx, url, func(db database, names []string) error { return db.fenceOn(ctx, names, reason) })
}

// Lift takes a fence away; without one it does nothing.
func Lift(ctx context.Context, url string) error {
	return withFence(ctx, url, func(db database, names []string) error { return db.fenceOff(ctx, names) })
}

// Fenced returns the reason of the fence, "" if there is none.
func Fenced(ctx context.Context, url string) (reason string, err error) {
	err = withFence(ctx, url, func(db database, _ []string) error {
		reason, err = db.fenced(ctx)
		return err
	})
	return reason, err
}

func withFence(ctx context.Context, url string, fn func(db database, names []string) error) (err error) {
	db, err := open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	tables, err := db.describe(ctx)
	if err != nil {
		return err
	}
	return fn(db, fencedTables(tables))
}

// literal writes a text as SQL has it.
func literal(text string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), "'", "''") + "'"
}

// copyingReason is the reason of the fence around a target that is being filled.
const copyingReason = "a copy is being made into this database"

// The state is what PostgreSQL answers on a standby, too: no writes here. Who fills a
// target goes through its fence.
const pgFence = `CREATE OR REPLACE FUNCTION ` + fenceName + `() RETURNS trigger LANGUAGE plpgsql AS $fence$
BEGIN
    IF current_setting('hal9.copying', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'writes are held off: %', TG_ARGV[0] USING ERRCODE = 'read_only_sql_transaction';
END
$fence$`

func (db *pgDatabase) fenceOn(ctx context.Context, tables []string, reason string) error {
	return db.patiently(ctx, func() error {
		if err := db.exec(ctx, pgFence); err != nil {
			return err
		}
		for _, t := range tables {
			if err := db.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TRIGGER %s BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %[1]s(%[3]s)",
				fenceName, quote(t), literal(reason))); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *pgDatabase) fenceOff(ctx context.Context, tables []string) error {
	return db.patiently(ctx, func() error { return db.dropFence(ctx, tables) })
}

func (db *pgDatabase) dropFence(ctx context.Context, tables []string) error {
	for _, t := range tables {
		if err := db.exec(ctx, fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", fenceName, quote(t))); err != nil {
			return err
		}
	}
	return db.exec(ctx, "DROP FUNCTION IF EXISTS "+fenceName+"()")
}

// shield fences the target; seize let this session through. Only the owner of the tables
// can: a copy by another role goes on without.
func (db *pgDatabase) shield(ctx context.Context, tables []string) (bool, error) {
	err := db.fenceOn(ctx, tables, copyingReason)
	const insufficientPrivilege = "42501"
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		return false, nil
	}
	return true, err
}

// unshield is part of the caller's transaction.
func (db *pgDatabase) unshield(ctx context.Context, tables []string) error {
	if reason, err := db.fenced(ctx); err != nil || reason == "" {
		return err
	}
	return db.dropFence(ctx, tables)
}

// patiently runs fn in a transaction whose locks wait only briefly, since writers queue
// behind them, and tries again.
func (db *pgDatabase) patiently(ctx context.Context, fn func() error) error {
	const tries, pause = 20, 100 * time.Millisecond
	for try := 1; ; try++ {
		err := inTx(ctx, db, func() error {
			if err := db.exec(ctx, "SET LOCAL lock_timeout = '1s'"); err != nil {
				return err
			}
			return fn()
		})
		pg, ok := errors.AsType[*pgconn.PgError](err)
		// lock_not_available, deadlock_detected
		if !ok || try == tries || pg.Code != "55P03" && pg.Code != "40P01" {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (db *pgDatabase) fenced(ctx context.Context) (string, error) {
	rows, err := db.ask(ctx, `SELECT convert_from(substring(tgargs FROM 1 FOR length(tgargs) - 1), 'UTF8') FROM pg_catalog.pg_trigger
		WHERE tgname = ? AND tgrelid = to_regclass('users')`, fenceName)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0][0], nil
}

func liteFences(table string) map[string]string {
	return map[string]string{
		"INSERT": quote(fenceName + "_insert_" + table),
		"UPDATE": quote(fenceName + "_update_" + table),
		"DELETE": quote(fenceName + "_delete_" + table),
	}
}

func (db *liteDatabase) fenceOn(ctx context.Context, tables []string, reason string) error {
	return db.immediately(ctx, func() error {
		for _, t := range tables {
			for event, name := range liteFences(t) {
				if err := db.exec(ctx, "DROP TRIGGER IF EXISTS "+name); err != nil {
					return err
				}
				if err := db.exec(ctx, fmt.Sprintf("CREATE TRIGGER %s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, %s); END",
					name, event, quote(t), literal("writes are held off: "+reason))); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// A file that seize took is anybody else's to neither read nor write.
func (*liteDatabase) shield(context.Context, []string) (bool, error) { return true, nil }

func (*liteDatabase) unshield(context.Context, []string) error { return nil }

func (db *liteDatabase) fenceOff(ctx context.Context, tables []string) error {
	return db.immediately(ctx, func() error {
		for _, t := range tables {
			for _, name := range liteFences(t) {
				if err := db.exec(ctx, "DROP TRIGGER IF EXISTS "+name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// immediately runs fn as the one writer; waiting for it is bounded by the time-out for
// locks.
func (db *liteDatabase) immediately(ctx context.Context, fn func() error) error {
	if err := db.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return errors.Join(err, db.exec(context.WithoutCancel(ctx), "ROLLBACK"))
	}
	return db.exec(ctx, "COMMIT")
}

func (db *liteDatabase) fenced(ctx context.Context) (string, error) {
	rows, err := db.ask(ctx, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?", fenceName+"_insert_users")
	if err != nil || len(rows) == 0 {
		return "", err
	}
	_, text, _ := strings.Cut(rows[0][0], "writes are held off: ")
	end := strings.LastIndex(text, "')")
	if end < 0 {
		return "", errors.New("the fence's trigger cannot be read")
	}
	return strings.ReplaceAll(text[:end], "''", "'"), nil
}
