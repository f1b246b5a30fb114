package server_test

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/schema"
)

// expansion is what a next release may do to the schema: columns that are new, with a
// default or without a value, tables and indexes.
const expansion = `-- +goose Up
ALTER TABLE signals ADD COLUMN next_release text;
ALTER TABLE neurons ADD COLUMN next_release text NOT NULL DEFAULT '';
ALTER TABLE memories ADD COLUMN next_release text;
ALTER TABLE users ADD COLUMN next_release text NOT NULL DEFAULT 'x';
ALTER TABLE sessions ADD COLUMN next_release text;
ALTER TABLE api_keys ADD COLUMN next_release text;
ALTER TABLE audit_log ADD COLUMN next_release text;
CREATE TABLE next_releases (id bigint PRIMARY KEY, user_id text);
CREATE INDEX next_release_memories ON memories (next_release);
-- +goose Down
SELECT 1;
`

// A server goes on answering as before while the next release expands the schema under
// it: what it says is compared with a server on the schema that it knows, before, during
// and after the migration.
func TestExpandedSchema(t *testing.T) {
	t.Parallel()
	for engine, newDatabase := range map[string]func(testing.TB) string{sqliteEngine: migrated.SQLiteDatabase, postgresEngine: migrated.PostgresDatabase} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t)
			run := newFuzzRunOn(t, fuzzedAPI(t), 7, [2]fuzzed{{"the old schema", openStore(t, engine)}, {"the expanded schema", openStoreAt(t, url)}})
			const steps, migrateAt = 300, 100
			ticks, advance := 0, run.Servers[1].Advance
			run.Servers[1].Advance = func(d time.Duration) {
				if ticks++; ticks == migrateAt {
					expand(t, url)
				}
				advance(d)
			}
			if _, stats, err := run.Random(t.Context(), steps); err != nil {
				t.Error(err)
			} else if stats.Requests != steps || ticks < migrateAt {
				t.Errorf("%d requests, %d ticks", stats.Requests, ticks)
			}
		})
	}
}

// expand runs the next release's migration.
func expand(t *testing.T, url string) {
	t.Helper()
	engine, err := schema.EngineOf(url)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := schema.Files(engine)
	if err != nil {
		t.Fatal(err)
	}
	n, err := schema.Latest(engine)
	if err != nil {
		t.Fatal(err)
	}
	next := fstest.MapFS{fmt.Sprintf("%05d_next.sql", n+1): {Data: []byte(expansion)}}
	names, err := fs.Glob(ours, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(ours, name)
		if err != nil {
			t.Fatal(err)
		}
		next[name] = &fstest.MapFile{Data: text}
	}
	m, err := schema.Open(t.Context(), url, schema.Options{Files: next})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	if steps, err := m.Up(t.Context()); err != nil || len(steps) != 1 {
		t.Fatalf("expand: %v, %v", steps, err)
	}
}
