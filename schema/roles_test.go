package schema_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/schema"
)

// grant gives a role a server's rights.
func grant(tb testing.TB, address, role string) {
	tb.Helper()
	m, err := schema.Open(tb.Context(), address, schema.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(m.Grant(tb.Context(), role), m.Close()); err != nil {
		tb.Fatal(err)
	}
}

// The guide shows what Grant does.
func TestGuideShowsTheGrants(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/operations/migrations.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("grants.sql")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(guide, script) {
		t.Error("docs/operations/migrations.md does not show the statements of schema/grants.sql")
	}
}

// A grant to nobody, to the owner, or before the tables are there says what to do.
func TestRefusedGrants(t *testing.T) {
	t.Parallel()
	address := migrated(t)
	owner := connect(t, address)
	me := one[string](t, owner, "SELECT current_user")
	role := newRole(t, owner)
	for name, c := range map[string]struct {
		address, role, message string
		want                   error
	}{
		"no such role":   {address, "hal9_nobody", `make it by CREATE ROLE "hal9_nobody"`, schema.ErrRole},
		"the owner":      {address, me, "owns the tables", schema.ErrRole},
		"a quoted name":  {address, `x"; DROP TABLE signals; --`, "does not exist", schema.ErrRole},
		"no schema yet":  {testenv.PostgresDatabase(t), role, "hal9 migrate up", nil},
		"another engine": {"sqlite://" + filepath.Join(t.TempDir(), "hal9.db"), role, "no roles", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := schema.Open(t.Context(), c.address, schema.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			if m.Engine() == schema.SQLite {
				if _, err := m.Up(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			err = m.Grant(t.Context(), c.role)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.message) {
				t.Errorf("%v", err)
			}
		})
	}
}

// newRole makes a role that is dropped with the test.
func newRole(tb testing.TB, owner *sql.DB) string {
	tb.Helper()
	role := "hal9_test_" + strings.ToLower(rand.Text()[:12])
	run(tb, owner, "CREATE ROLE "+role+" LOGIN PASSWORD 'secret'")
	tb.Cleanup(func() {
		for _, statement := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			if _, err := owner.Exec(statement); err != nil {
				tb.Errorf("%s: %v", statement, err)
			}
		}
	})
	return role
}

// as returns the URL for another role.
func as(tb testing.TB, address, role string) string {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	u.User = url.UserPassword(role, "secret")
	return u.String()
}

// The runtime role of the guide: rows and the three functions, no DDL.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	address := migrated(t)
	owner := connect(t, address)
	role := newRole(t, owner)
	grant(t, address, role)
	asRole := connect(t, as(t, address, role))
	for _, table := range []string{"schema_compatibility", "users", "sessions", "refresh_tokens", "api_keys", "legacy_details", "idempotency_keys", "upkeep_leases", "neurons", "memories", "metrics_aggregate", "audit_log"} {
		query[int](t, asRole, "SELECT count(*) FROM "+table)
	}
	fill(t, asRole, schema.Postgres)
	if err := schema.Check(t.Context(), asRole, schema.Postgres); err != nil {
		t.Errorf("check: %v", err)
	}
	if !one[bool](t, asRole, "SELECT signals_partition_ensure('2040-05-01T00:00:00Z')") {
		t.Error("not made")
	}
	insertSignal(t, asRole, schema.Postgres, time.Date(2040, 5, 31, 23, 0, 0, 0, time.UTC))
	if n := one[int](t, asRole, "SELECT count(*) FROM signals WHERE timestamp >= '2040-05-01' AND timestamp < '2040-06-01'"); n != 1 {
		t.Errorf("%d rows", n)
	}
	if len(query[string](t, asRole, listPartitions)) != 6 {
		t.Error("the list is not whole")
	}
	if len(query[string](t, asRole, "SELECT signals_partition_drop('2041-01-01T00:00:00Z')")) != 5 {
		t.Error("not all were dropped")
	}
	run(t, asRole, "DELETE FROM signals WHERE timestamp < now()")

	for _, denied := range []string{
		"CREATE TABLE t (id int)", "DROP TABLE signals", "TRUNCATE signals", "DELETE FROM goose_db_version",
		"ALTER TABLE signals_default ADD COLUMN x int",
	} {
		if _, err := asRole.ExecContext(t.Context(), denied); err == nil {
			t.Errorf("allowed: %s", denied)
		}
	}
	other := newRole(t, owner)
	for _, call := range []string{"signals_partition_ensure(now())", "signals_partition_list()", "signals_partition_drop(now())"} {
		if _, err := connect(t, as(t, address, other)).ExecContext(t.Context(), "SELECT "+call); err == nil {
			t.Errorf("anybody may call %s", call)
		}
	}
}

// A server that starts tells which of the guide's rights it lacks.
func TestCheckRights(t *testing.T) {
	t.Parallel()
	address := migrated(t)
	owner := connect(t, address)
	role := newRole(t, owner)
	conn, err := pgx.Connect(t.Context(), as(t, address, role))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	lacks := func() []string {
		t.Helper()
		err := schema.CheckRights(t.Context(), conn)
		lacking, ok := errors.AsType[*schema.RightsError](err)
		if err != nil && (!ok || lacking.Role != role || !strings.Contains(err.Error(), "hal9 migrate grant "+role)) {
			t.Fatal(err)
		}
		if err == nil {
			return nil
		}
		return lacking.Lacks
	}
	// Each table but goose's and the partitions, the sequence, the three functions.
	tables := one[int](t, owner, "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition")
	if got := lacks(); len(got) != tables+1+3 {
		t.Errorf("a role without rights lacks %d, want %d: %q", len(got), tables+1+3, got)
	}
	grant(t, address, role)
	if got := lacks(); got != nil {
		t.Errorf("with all rights it lacks %q", got)
	}
	run(t, owner, "REVOKE INSERT, DELETE ON signals FROM "+role)
	run(t, owner, "REVOKE USAGE ON SEQUENCE row_version_seq FROM "+role)
	run(t, owner, "REVOKE EXECUTE ON FUNCTION signals_partition_list() FROM "+role)
	want := []string{"INSERT, DELETE on signals", "USAGE on row_version_seq", "EXECUTE on signals_partition_list()"}
	if got := lacks(); !slices.Equal(got, want) {
		t.Errorf("it lacks %q, want %q", got, want)
	}
}

// A role with the right to call the functions cannot make them work on its own
// tables with the owner's rights.
func TestTemporaryTablesFoolNobody(t *testing.T) {
	t.Parallel()
	address := migrated(t)
	owner := connect(t, address)
	role := newRole(t, owner)
	grant(t, address, role)
	insertSignal(t, owner, schema.Postgres, time.Date(2042, 3, 5, 0, 0, 0, 0, time.UTC))
	attacker := connect(t, as(t, address, role))
	attacker.SetMaxOpenConns(1)
	run(t, attacker, "CREATE TEMP TABLE signals (LIKE public.signals) PARTITION BY RANGE (timestamp)")
	run(t, attacker, "CREATE TEMP TABLE signals_default PARTITION OF pg_temp.signals DEFAULT")
	run(t, attacker, "CREATE TEMP TABLE signals_y2042m03 (id int)")
	run(t, attacker, `CREATE FUNCTION pg_temp.date_trunc(text, timestamptz) RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$`)
	run(t, attacker, "SET search_path = pg_temp, public")

	if !one[bool](t, attacker, "SELECT public.signals_partition_ensure('2042-03-01T00:00:00Z')") {
		t.Error("not made")
	}
	if n := one[int](t, owner, "SELECT count(*) FROM public.signals_y2042m03"); n != 1 {
		t.Errorf("%d rows came home", n)
	}
	if got := query[string](t, owner, "SELECT signals_partition_drop('2042-04-01T00:00:00Z')"); !slices.Contains(got, "signals_y2042m03") {
		t.Errorf("dropped %v", got)
	}
}
