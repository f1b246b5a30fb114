package schema_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/schema"
)

// The columns of all tables, and the constraints by which rows are refused.
const (
	columnsPostgres = `SELECT format('%s.%s %s null=%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			AND c.relname NOT LIKE 'goose_db_version%'`
	requiredPostgres = `SELECT format('%s.%s', c.relname, a.attname)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''`
	constraintsPostgres = `SELECT format('%s.%s %s', c.relname, n.conname, pg_get_constraintdef(n.oid))
		FROM pg_class c JOIN pg_constraint n ON n.conrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition`
	routinesPostgres = `SELECT format('%s(%s) %s', p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid))
		FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.prorettype <> 'trigger'::regtype`
	columnsSQLite = `SELECT m.name || '.' || c.name || ' ' || c.type || ' null=' || (c."notnull" = 0)
		FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'goose_db_version%' AND m.name NOT LIKE 'sqlite_%'`
	requiredSQLite = `SELECT m.name || '.' || c.name
		FROM sqlite_master m, pragma_table_xinfo(m.name) c
		WHERE m.type = 'table' AND c."notnull" = 1 AND c.dflt_value IS NULL AND c.pk = 0`
)

func columnsOf(tb testing.TB, url string, engine schema.Engine) (columns, required, constraints, routines []string) {
	tb.Helper()
	db := connect(tb, url)
	if engine == schema.SQLite {
		return query[string](tb, db, columnsSQLite), query[string](tb, db, requiredSQLite), nil, nil
	}
	return query[string](tb, db, columnsPostgres), query[string](tb, db, requiredPostgres),
		query[string](tb, db, constraintsPostgres), query[string](tb, db, routinesPostgres)
}

// faultsOfExpansion says what one migration did that a program before it cannot work
// with: it reads columns that were there, and writes rows without those that are new.
func faultsOfExpansion(t *testing.T, m *schema.Migrator, url string, version int64) (faults []string) {
	t.Helper()
	before, _, constraints, routines := columnsOf(t, url, m.Engine())
	tables := map[string]bool{}
	for _, column := range before {
		table, _, _ := strings.Cut(column, ".")
		tables[table] = true
	}
	if _, err := m.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	after, required, constraintsNow, routinesNow := columnsOf(t, url, m.Engine())
	is := func(list []string) map[string]bool {
		set := map[string]bool{}
		for _, line := range list {
			set[line] = true
		}
		return set
	}
	had, has, must := is(before), is(after), is(required)
	for _, column := range before {
		if !has[column] {
			faults = append(faults, "is gone or changed: "+column)
		}
	}
	for _, column := range after {
		name, _, _ := strings.Cut(column, " ")
		if table, _, _ := strings.Cut(name, "."); !had[column] && tables[table] && must[name] {
			faults = append(faults, "is new, required and has no default: "+column)
		}
	}
	old := is(constraints)
	for _, constraint := range constraintsNow {
		if table, _, _ := strings.Cut(constraint, "."); !old[constraint] && tables[table] {
			faults = append(faults, "is a new constraint on an old table: "+constraint)
		}
	}
	hasRoutine := is(routinesNow)
	for _, routine := range routines {
		if !hasRoutine[routine] {
			faults = append(faults, "is gone or changed: "+routine)
		}
	}
	return faults
}

// A migration leaves alone what the program before it needs, or says in
// schema_compatibility that this program cannot go on.
func TestMigrationsExpand(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		m := open(t, url, schema.Options{})
		db := connect(t, url)
		for v := int64(1); v <= latestOf(t, m); v++ {
			faults := faultsOfExpansion(t, m, url, v)
			oldest := int64(0)
			if v >= compatibility {
				oldest = one[int64](t, db, "SELECT oldest_program FROM schema_compatibility")
			}
			if oldest > v {
				t.Errorf("migration %d: only programs that know %d could work, and not even its own does", v, oldest)
			}
			if oldest < v && len(faults) > 0 {
				t.Errorf("migration %d: programs before it break, and it does not say so by"+
					" UPDATE schema_compatibility SET oldest_program = %[1]d:\n%s", v, strings.Join(faults, "\n"))
			}
		}
	})
}

// compatibility is the migration that made the table.
const compatibility = 10

// The check above finds what it is there for.
func TestContractionsAreFound(t *testing.T) {
	t.Parallel()
	for up, want := range map[string]string{
		"ALTER TABLE users RENAME COLUMN role TO part":                     "is gone or changed: users.role",
		"DROP TABLE audit_log":                                             "is gone or changed: audit_log.id",
		"ALTER TABLE users ADD COLUMN nick text NOT NULL DEFAULT ''":       "",
		"CREATE TABLE next_table (id bigint NOT NULL, body text NOT NULL)": "",
	} {
		for _, newURL := range engines() {
			url := newURL(t)
			m := openWithNext(t, url, up)
			if _, err := m.UpTo(t.Context(), latestOf(t, m)); err != nil {
				t.Fatal(err)
			}
			faults := strings.Join(faultsOfExpansion(t, m, url, latestOf(t, m)+1), "\n")
			if (want == "") != (faults == "") || !strings.Contains(faults, want) {
				t.Errorf("%s on %s: found %q, want %q", up, m.Engine(), faults, want)
			}
		}
	}
}

// openWithNext is a program that knows one migration more.
func openWithNext(tb testing.TB, url, up string) *schema.Migrator {
	tb.Helper()
	engine, err := schema.EngineOf(url)
	if err != nil {
		tb.Fatal(err)
	}
	ours, err := schema.Files(engine)
	if err != nil {
		tb.Fatal(err)
	}
	next := fstest.MapFS{}
	names, err := fs.Glob(ours, "*.sql")
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(ours, name)
		if err != nil {
			tb.Fatal(err)
		}
		next[name] = &fstest.MapFile{Data: text}
	}
	n, err := schema.Latest(engine)
	if err != nil {
		tb.Fatal(err)
	}
	next[fmt.Sprintf("%05d_next.sql", n+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + up + ";\n-- +goose Down\nSELECT 1;\n")}
	return open(tb, url, schema.Options{Files: next})
}

// A program meets a database that its successor migrated.
func TestProgramBeforeMeetsNewerSchema(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		ctx := t.Context()
		ours := open(t, url, schema.Options{})
		n := latestOf(t, ours)
		expands := openWithNext(t, url, "ALTER TABLE users ADD COLUMN nick text")
		if _, err := expands.Up(ctx); err != nil {
			t.Fatal(err)
		}
		checks := map[string]func(context.Context) error{
			"migrator": ours.Check,
			"handle":   func(ctx context.Context) error { return schema.Check(ctx, connect(t, url), ours.Engine()) },
		}
		if ours.Engine() == schema.Postgres {
			checks["pool"] = func(ctx context.Context) error {
				conn, err := pgx.Connect(ctx, url)
				if err != nil {
					return err
				}
				return errors.Join(schema.CheckPostgres(ctx, conn), conn.Close(ctx))
			}
		}
		for door, check := range checks {
			if err := check(ctx); !errors.Is(err, schema.ErrAhead) || errors.Is(err, schema.ErrTooNew) || errors.Is(err, schema.ErrBehind) {
				t.Errorf("%s after an expansion: %v", door, err)
			}
		}
		if _, err := expands.Down(ctx); err != nil {
			t.Fatal(err)
		}
		contracts := openWithNext(t, url, fmt.Sprintf("UPDATE schema_compatibility SET oldest_program = %d", n+1))
		if _, err := contracts.Up(ctx); err != nil {
			t.Fatal(err)
		}
		for door, check := range checks {
			err := check(ctx)
			if !errors.Is(err, schema.ErrTooNew) || errors.Is(err, schema.ErrAhead) || errors.Is(err, schema.ErrBehind) {
				t.Errorf("%s after a contraction: %v", door, err)
			}
			if want := fmt.Sprintf("version %d or later, this one knows up to %d", n+1, n); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s says %v", door, err)
			}
		}
		if err := contracts.Check(ctx); err != nil {
			t.Errorf("the newer program itself: %v", err)
		}
	})
}
