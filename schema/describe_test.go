package schema_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/schema"
)

// describePostgres writes down everything that a migration can make, but for goose's
// own table.
const describePostgres = `
WITH ours AS (
	SELECT c.* FROM pg_class c
	WHERE c.relnamespace = current_schema()::regnamespace AND c.relname NOT LIKE 'goose_db_version%')
SELECT format('relation %s %s %s of %s, bound %s, acl %s, options %s', relkind, relpersistence, relname,
	(SELECT string_agg(i.inhparent::regclass::text, ',') FROM pg_inherits i WHERE i.inhrelid = oid),
	pg_get_expr(relpartbound, oid), relacl, reloptions) FROM ours
UNION ALL
SELECT format('column %s.%s: %s %s null %s, default %s, collation %s, generated %s', c.relname, a.attname, a.attnum,
	format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
	(SELECT collname FROM pg_collation WHERE oid = a.attcollation), a.attgenerated)
FROM ours c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT format('constraint %s on %s: %s, valid %s', n.conname, c.relname, pg_get_constraintdef(n.oid), n.convalidated)
FROM ours c JOIN pg_constraint n ON n.conrelid = c.oid
UNION ALL
SELECT format('index %s, valid %s', pg_get_indexdef(i.indexrelid), i.indisvalid) FROM ours c JOIN pg_index i ON i.indexrelid = c.oid
UNION ALL
SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM ours c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT format('function %s acl %s', pg_get_functiondef(p.oid), p.proacl) FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
UNION ALL
SELECT format('type %s', t.typname) FROM pg_type t
WHERE t.typnamespace = current_schema()::regnamespace AND t.typrelid = 0 AND t.typelem = 0
ORDER BY 1`

const describeSQLite = `
SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_master
WHERE tbl_name NOT IN ('goose_db_version', 'sqlite_sequence') ORDER BY 1`

func describe(tb testing.TB, db *sql.DB, engine schema.Engine) []string {
	tb.Helper()
	if engine == schema.SQLite {
		return query[string](tb, db, describeSQLite)
	}
	return query[string](tb, db, describePostgres)
}

// fill puts rows into the tables that there are, signals of past and future months
// among them.
func fill(tb testing.TB, db *sql.DB, engine schema.Engine) {
	tb.Helper()
	for range 3 {
		user, session := uuid.NewString(), uuid.NewString()
		insert(tb, db, engine, "users", "id, username, password_hash, created_at, updated_at", user, user, "h", time.Now(), time.Now())
		insert(tb, db, engine, "sessions", "id, user_id, token_hash, expires_at, created_at", session, user, session, time.Now(), time.Now())
		insert(tb, db, engine, "refresh_tokens", "id, session_id, token_hash, expires_at, created_at",
			uuid.NewString(), session, uuid.NewString(), time.Now(), time.Now())
		insert(tb, db, engine, "api_keys", "id, user_id, name, key_hash, created_at", uuid.NewString(), user, "k", uuid.NewString(), time.Now())
		insert(tb, db, engine, "legacy_details", "entity, id, user_id, details, created_at", "user", user, user, "{}", time.Now())
		insert(tb, db, engine, "memories", "id, neuron_id, content, created_at, updated_at, search_text",
			uuid.NewString(), "neuron-l1", "c", time.Now(), time.Now(), "c")
		insert(tb, db, engine, "metrics_aggregate", "id, metric_name, value, timestamp", uuid.NewString(), "m", 0.5, time.Now())
		insert(tb, db, engine, "audit_log", "id, action, resource_type, created_at", uuid.NewString(), "a", "r", time.Now())
		insert(tb, db, engine, "idempotency_keys", "id, fingerprint, seed, holder, created_at, locked_until, expires_at",
			uuid.NewString(), "f", uuid.NewString(), uuid.NewString(), time.Now(), time.Now(), time.Now())
		insert(tb, db, engine, "upkeep_leases", "name, holder, renewed_at, expires_at", uuid.NewString(), "h", time.Now(), time.Now())
		for months := -3; months < 9; months += 3 {
			insertSignal(tb, db, engine, time.Now().AddDate(0, months, 0))
		}
	}
}

func insertSignal(tb testing.TB, db *sql.DB, engine schema.Engine, at time.Time) {
	tb.Helper()
	insert(tb, db, engine, "signals", "id, from_neuron, to_neuron, layer_from, layer_to, content, timestamp",
		uuid.NewString(), "a", "b", "L1", "L2", "c", at)
}

func insert(tb testing.TB, db *sql.DB, engine schema.Engine, table, columns string, values ...any) {
	tb.Helper()
	exists := "SELECT to_regclass('" + table + "') IS NOT NULL"
	if engine == schema.SQLite {
		exists = "SELECT count(*) > 0 FROM sqlite_master WHERE name = '" + table + "'"
		switch table {
		case "users", "sessions", "api_keys", "memories":
			columns += ", version"
			values = append(values, 1)
		}
	}
	if !one[bool](tb, db, exists) {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = fmt.Sprintf("$%d", i+1)
		if at, ok := v.(time.Time); ok && engine == schema.SQLite {
			values[i] = at.UnixMicro()
		}
	}
	run(tb, db, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, columns, strings.Join(marks, ", ")), values...)
}
