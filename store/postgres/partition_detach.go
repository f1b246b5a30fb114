package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/model"
)

// DetachedPrefix begins the name of the table that a month's signals are kept in once the
// month is detached. The table is its owner's: to archive, or to bring back.
const DetachedPrefix = "signals_detached_"

// A month is detached and attached by a person, not by a server, so that nothing in the
// database does it for a role that does not own the tables. DETACH … CONCURRENTLY is no
// choice: PostgreSQL refuses it while there is a default partition.
const (
	monthName    = "signals_y2006m01"
	detachedName = DetachedPrefix + "y2006m01"

	// The functions of the migrations take the same lock.
	partitionLock = `SELECT pg_advisory_xact_lock(hashtextextended('hal9.signals_partition', 0))`
	// A wait for a lock keeps inserts waiting behind it. As in signals_partition_ensure it
	// is shorter than twice deadlock_timeout: this gives way, and no transaction of a server.
	partitionLockTimeout = `SET LOCAL lock_timeout = '1500ms'`

	partitionAttached = `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits
		WHERE inhparent = 'signals'::regclass AND inhrelid = to_regclass(format('%I.%I', current_schema(), $1::text)))`
	partitionExists = `SELECT to_regclass(format('%I.%I', current_schema(), $1::text)) IS NOT NULL`

	partitionDetachedList = `SELECT c.relname::text, c.reltuples::bigint, pg_total_relation_size(c.oid)
		FROM pg_catalog.pg_class c
		WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind = 'r' AND NOT c.relispartition
		  AND c.relname ~ '^` + DetachedPrefix + `y[0-9]{4}m[0-9]{2}$'
		ORDER BY c.relname`
)

// PartitionDetachedList returns the months that PartitionDetach took out, in order.
func PartitionDetachedList(ctx context.Context, db PartitionDB) ([]model.SignalPartition, error) {
	rows, err := db.Query(ctx, partitionDetachedList)
	if err != nil {
		return nil, fmt.Errorf("list the detached partitions: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (model.SignalPartition, error) {
		var p model.SignalPartition
		if err := row.Scan(&p.Name, &p.Rows, &p.Bytes); err != nil {
			return p, err
		}
		var err error
		p.Start, err = time.Parse(detachedName, p.Name)
		p.End = p.Start.AddDate(0, 1, 0)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the detached partitions: %w", err)
	}
	return all, nil
}

// PartitionBeginner is a pool or a connection.
type PartitionBeginner interface {
	PartitionDB
	Begin(ctx context.Context) (pgx.Tx, error)
}

// PartitionDetach takes the partition of the month that holds the moment out of signals.
// Its table bears another name from then on, so that the month may get a new partition if
// signals of it are stored again.
func PartitionDetach(ctx context.Context, db PartitionBeginner, moment time.Time) (model.SignalPartition, error) {
	month := monthOf(moment)
	p := model.SignalPartition{Name: month.Format(detachedName), Start: month, End: month.AddDate(0, 1, 0), Rows: -1}
	err := alone(ctx, db, func(tx pgx.Tx) error {
		if attached, err := ask(ctx, tx, partitionAttached, month.Format(monthName)); err != nil || !attached {
			return orElse(err, model.ErrNotFound, "there is no partition of "+month.Format("2006-01"))
		}
		if taken, err := ask(ctx, tx, partitionExists, p.Name); err != nil || taken {
			return orElse(err, model.ErrConflict, p.Name+" is there already: attach it, or drop the table once you have a copy")
		}
		return statements(ctx, tx, detachStatements(month))
	})
	if err != nil {
		return model.SignalPartition{}, fmt.Errorf("detach the partition of %s: %w", month.Format("2006-01"), err)
	}
	return p, nil
}

// PartitionAttach brings a detached month back. What was stored of the month since moves
// into it, and is counted; a signal that both have is the detached one.
func PartitionAttach(ctx context.Context, db PartitionBeginner, moment time.Time) (model.SignalAttached, error) {
	month := monthOf(moment)
	p := model.SignalPartition{Name: month.Format(monthName), Start: month, End: month.AddDate(0, 1, 0), Rows: -1}
	moved := int64(0)
	err := alone(ctx, db, func(tx pgx.Tx) error {
		moved = 0
		if detached, err := ask(ctx, tx, partitionExists, month.Format(detachedName)); err != nil || !detached {
			return orElse(err, model.ErrNotFound, month.Format("2006-01")+" is not detached")
		}
		attached, err := ask(ctx, tx, partitionAttached, p.Name)
		if err != nil {
			return err
		}
		if err := statements(ctx, tx, prepareStatements(month, attached)); err != nil {
			return err
		}
		if attached { // signals of the month were stored, and a server made it anew
			tag, err := tx.Exec(ctx, moveNewer(month))
			if err != nil {
				return err
			}
			moved += tag.RowsAffected()
			if err := statements(ctx, tx, []string{"DROP TABLE " + p.Name}); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, moveDefault(month))
		if err != nil {
			return err
		}
		moved += tag.RowsAffected()
		return statements(ctx, tx, attachStatements(month))
	})
	if err != nil {
		return model.SignalAttached{}, fmt.Errorf("attach the partition of %s: %w", month.Format("2006-01"), err)
	}
	return model.SignalAttached{SignalPartition: p, Moved: moved}, nil
}

// detachStatements lock out reads and writes of signals, for as long as they take: the
// table itself is not looked at.
func detachStatements(month time.Time) []string {
	was, is := month.Format(monthName), month.Format(detachedName)
	return []string{
		"ALTER TABLE signals DETACH PARTITION " + was,
		fmt.Sprintf("ALTER TABLE %s RENAME TO %s", was, is),
		// A new partition of the month gets this name, by which errors find their field.
		fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s_pkey TO %s_pkey", is, was, is),
	}
}

// prepareStatements read the detached table while inserts go on, and then keep inserts
// away; parent before child, as inserts take them. To drop a new partition of the month
// keeps reads away as well.
func prepareStatements(month time.Time, drop bool) []string {
	detached, mode := month.Format(detachedName), "SHARE ROW EXCLUSIVE"
	if drop {
		mode = "ACCESS EXCLUSIVE"
	}
	return []string{
		// Spares ATTACH the scan of the table under its locks.
		fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s_range CHECK (timestamp >= %s AND timestamp < %s)",
			detached, detached, literal(month), literal(month.AddDate(0, 1, 0))),
		"LOCK TABLE ONLY signals IN " + mode + " MODE",
		"LOCK TABLE signals_default IN ACCESS EXCLUSIVE MODE",
	}
}

func moveNewer(month time.Time) string {
	//nolint:unqueryvet // all columns, whichever they are by now
	return fmt.Sprintf("INSERT INTO %s SELECT * FROM %s ON CONFLICT DO NOTHING", month.Format(detachedName), month.Format(monthName))
}

func moveDefault(month time.Time) string {
	//nolint:unqueryvet // as above
	return fmt.Sprintf("WITH moved AS (DELETE FROM signals_default WHERE timestamp >= %s AND timestamp < %s RETURNING *) "+
		"INSERT INTO %s SELECT * FROM moved ON CONFLICT DO NOTHING", literal(month), literal(month.AddDate(0, 1, 0)), month.Format(detachedName))
}

func attachStatements(month time.Time) []string {
	was, is := month.Format(detachedName), month.Format(monthName)
	return []string{
		fmt.Sprintf("ALTER TABLE %s RENAME TO %s", was, is),
		fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s_pkey TO %s_pkey", is, was, is),
		fmt.Sprintf("ALTER TABLE signals ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)", is, literal(month), literal(month.AddDate(0, 1, 0))),
		fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s_range", is, was),
	}
}

// PartitionDetachSQL returns what PartitionDetach runs, as a person would type it.
func PartitionDetachSQL(moment time.Time) string {
	return script(detachStatements(monthOf(moment)))
}

// PartitionAttachSQL returns what PartitionAttach runs for a month that got no new
// partition meanwhile, as a person would type it.
func PartitionAttachSQL(moment time.Time) string {
	month := monthOf(moment)
	return script(append(append(prepareStatements(month, false), moveDefault(month)), attachStatements(month)...))
}

func script(list []string) string {
	return "BEGIN;\n" + partitionLockTimeout + ";\n" + partitionLock + ";\n" + strings.Join(list, ";\n") + ";\nCOMMIT;\n"
}

// alone runs fn in a transaction that no other change of partitions runs beside.
func alone(ctx context.Context, db PartitionBeginner, fn func(pgx.Tx) error) error {
	return patiently(ctx, func() error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if err := statements(ctx, tx, []string{partitionLockTimeout, partitionLock}); err != nil {
				return err
			}
			return fn(tx)
		})
	})
}

func statements(ctx context.Context, tx pgx.Tx, list []string) error {
	for _, statement := range list {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func ask(ctx context.Context, tx pgx.Tx, question, name string) (yes bool, err error) {
	err = tx.QueryRow(ctx, question, name).Scan(&yes)
	return yes, err
}

// orElse is the error, or one of a kind if there is none.
func orElse(err, kind error, reason string) error {
	if err != nil {
		return err
	}
	return &model.Error{Kind: kind, Entity: "signal", Field: "partition", Reason: reason}
}

// Denied tells whether PostgreSQL refused something for want of rights.
func Denied(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == codeInsufficientPrivilege
}

const codeInsufficientPrivilege = "42501"
