package copydb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/internal/pgurl"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store/postgres"
)

// pgDatabase is a PostgreSQL database. It speaks the protocol's binary formats by
// itself: all it moves are eight types, and a COPY is as fast as its encoding.
type pgDatabase struct {
	conn *pgx.Conn
	raw  *pgconn.PgConn
	buf  []byte // what a COPY sends, used again
}

func openPostgres(ctx context.Context, url string) (database, error) {
	pc, err := pgurl.Parse(url)
	if err != nil {
		return nil, err
	}
	c := pc.ConnConfig
	maps.Copy(c.RuntimeParams, map[string]string{
		"application_name": "hal9 copy", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
		"timezone": "UTC", "datestyle": "ISO", "client_min_messages": "warning",
	})
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%w: connect to %s: %s", ErrUnreachable, pgurl.Target(&c.Config), pgurl.Why(err))
	}
	db := &pgDatabase{conn: conn, raw: conn.PgConn()}
	if err := schema.CheckPostgres(ctx, conn); err != nil {
		return nil, errors.Join(err, db.close()) //nolint:contextcheck // closing has a limit of its own
	}
	return db, nil
}

func (*pgDatabase) engine() string { return "postgres" }

func (db *pgDatabase) close() error {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return db.conn.Close(ctx) //nolint:wrapcheck // nothing to add
}

func (db *pgDatabase) exec(ctx context.Context, statement string, args ...any) error {
	_, err := db.ask(ctx, statement, args...)
	return err
}

func (db *pgDatabase) ask(ctx context.Context, statement string, args ...any) (rows [][]string, err error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = fmt.Append([]byte{}, a) // nil would be NULL
		statement = strings.Replace(statement, "?", "$"+strconv.Itoa(i+1), 1)
	}
	result := db.raw.ExecParams(ctx, statement, params, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, fmt.Errorf("%s: %w", head(statement), result.Err)
	}
	for _, values := range result.Rows {
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = string(v)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// head is enough of a statement to know it by.
func head(statement string) string {
	const most = 60
	statement = strings.Join(strings.Fields(statement), " ")
	if len(statement) > most {
		return statement[:most] + "…"
	}
	return statement
}

func (db *pgDatabase) schemaVersion(ctx context.Context) (int64, error) {
	return number(ctx, db, "SELECT max(version_id) FROM goose_db_version")
}

// identity is by when the server was started, to the microsecond: a restored copy of a
// server has its system identifier as well.
func (db *pgDatabase) identity(ctx context.Context) (identity, error) {
	rows, err := db.ask(ctx, `SELECT d.oid || ' ' || current_schema(), pg_postmaster_start_time()::text, pg_is_in_recovery()::int
		FROM pg_catalog.pg_database d WHERE d.datname = current_database()`)
	if err != nil {
		return identity{}, err
	}
	if len(rows) != 1 {
		return identity{}, errors.New("the server does not tell which database it is")
	}
	id := identity{place: "postgres " + rows[0][1] + " " + rows[0][0], replica: rows[0][2] == "1"}
	// Not everybody may ask for it everywhere.
	if system, err := db.ask(ctx, "SELECT system_identifier FROM pg_control_system()"); err == nil && len(system) == 1 {
		id.cluster = system[0][0] + " " + rows[0][0]
	}
	return id, nil
}

func (db *pgDatabase) snapshot(ctx context.Context) error {
	return db.exec(ctx, "BEGIN READ ONLY, ISOLATION LEVEL REPEATABLE READ")
}

func (db *pgDatabase) endSnapshot(ctx context.Context) error { return db.exec(ctx, "COMMIT") }

const pgColumns = `SELECT c.relname, a.attname, format_type(a.atttypid, NULL), coalesce(array_position(i.indkey::int2[], a.attnum), -1),
		(a.attcollation <> 0 AND l.collcollate IS DISTINCT FROM 'C' AND l.collcollate IS DISTINCT FROM 'POSIX')::int
	FROM pg_catalog.pg_class c
	JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
	LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
	WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	ORDER BY c.relname, a.attnum`

const pgParents = `SELECT DISTINCT c.conrelid::regclass::text, c.confrelid::regclass::text
	FROM pg_catalog.pg_constraint c
	WHERE c.contype = 'f' AND c.conparentid = 0 AND c.connamespace = to_regnamespace(quote_ident(current_schema())) ORDER BY 1, 2`

func (db *pgDatabase) describe(ctx context.Context) ([]Table, error) {
	columns, err := db.ask(ctx, pgColumns)
	if err != nil {
		return nil, err
	}
	parents, err := db.ask(ctx, pgParents)
	if err != nil {
		return nil, err
	}
	var tables []Table
	positions := map[int]int{} // of the table at hand: place in the key to column
	end := func() error {
		if len(tables) == 0 {
			return nil
		}
		t := &tables[len(tables)-1]
		for i := range len(positions) {
			t.Key = append(t.Key, positions[i])
		}
		if len(t.Key) == 0 {
			return fmt.Errorf("the table %s has no primary key", t.Name)
		}
		t.finish()
		return nil
	}
	for _, c := range columns {
		if left(c[0]) {
			continue
		}
		if len(tables) == 0 || tables[len(tables)-1].Name != c[0] {
			if err := end(); err != nil {
				return nil, err
			}
			tables = append(tables, Table{Name: c[0]})
			clear(positions)
		}
		t := &tables[len(tables)-1]
		kind, known := pgKinds()[c[2]]
		if !known {
			return nil, fmt.Errorf("column %s of %s: the type %s is not known here", c[1], c[0], c[2])
		}
		if place, err := strconv.Atoi(c[3]); err == nil && place >= 0 {
			positions[place] = len(t.Columns) // indkey counts from 0
		}
		t.Columns = append(t.Columns, Column{Name: c[1], Kind: kind, locale: c[4] == "1"})
	}
	if err := end(); err != nil {
		return nil, err
	}
	for i := range tables {
		for _, p := range parents {
			if p[0] == tables[i].Name {
				tables[i].Parents = append(tables[i].Parents, p[1])
			}
		}
	}
	return inOrder(tables)
}

func pgKinds() map[string]Kind {
	return map[string]Kind{
		"uuid": UUID, "text": Text, "jsonb": JSON, "timestamp with time zone": Time,
		"boolean": Bool, "bigint": Int, "double precision": Float, "bytea": Bytes,
	}
}

func (db *pgDatabase) months(ctx context.Context, list []int) (made int, err error) {
	for _, m := range list {
		ok, err := postgres.PartitionEnsure(ctx, db.conn, time.Date(0, time.Month(m+1), 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			return made, err
		}
		if ok {
			made++
		}
	}
	return made, nil
}

func (db *pgDatabase) versionCounter(ctx context.Context) (int64, error) {
	return number(ctx, db, "SELECT last_value FROM row_version_seq")
}

func (db *pgDatabase) raiseVersionCounter(ctx context.Context, least int64) error {
	return db.exec(ctx, "SELECT setval('row_version_seq', greatest(last_value, ?::bigint)) FROM row_version_seq", least)
}

func (db *pgDatabase) settle(ctx context.Context) error { return db.exec(ctx, "ANALYZE") }

// seize keeps a second copy away, and lets this session through a target's fence. The lock goes with the connection, and PostgreSQL may
// take some seconds to notice that a killed program is gone.
func (db *pgDatabase) seize(ctx context.Context) error {
	const patience, pause = 15 * time.Second, 200 * time.Millisecond
	for began := time.Now(); ; {
		n, err := number(ctx, db, "SELECT pg_try_advisory_lock(hashtextextended('hal9.copy', 0))::int")
		if err != nil {
			return err
		}
		if n == 1 {
			return db.exec(ctx, "SET hal9.copying = 'on'")
		}
		if time.Since(began) > patience {
			return fmt.Errorf("%w: another copy writes into it", ErrInUse)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx) //nolint:wrapcheck // the caller's own
		case <-time.After(pause):
		}
	}
}

func (db *pgDatabase) release(ctx context.Context) error {
	return db.exec(ctx, "SELECT pg_advisory_unlock_all()")
}

func (db *pgDatabase) atFault(err error) string {
	if own, ok := errors.AsType[*unfitError](err); ok {
		return own.Error()
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return ""
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "22", "23", "54": // data exception, integrity constraint, program limit
		return pg.Message
	default:
		return ""
	}
}

func (db *pgDatabase) clear(ctx context.Context, tables []Table) error {
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = quote(tables[i].Name)
	}
	return db.exec(ctx, "TRUNCATE "+strings.Join(names, ", "))
}
