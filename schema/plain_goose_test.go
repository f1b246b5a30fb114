package schema_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/hal9-ai/hal9/schema"
)

// The files are plain goose migrations: goose by itself runs them, with its default
// options, and the two may take turns on one database.
func TestPlainGoose(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		ctx := t.Context()
		m, db := open(t, url, schema.Options{}), connect(t, url)
		dialect := goose.DialectPostgres
		if m.Engine() == schema.SQLite {
			dialect = goose.DialectSQLite3
		}
		plain, err := goose.NewProvider(dialect, db, os.DirFS(string(m.Engine())))
		if err != nil {
			t.Fatal(err)
		}
		n := int(latestOf(t, m))

		if steps, err := plain.Up(ctx); err != nil || len(steps) != n {
			t.Fatalf("goose up: %v, %v", steps, err)
		}
		if err := m.Check(ctx); err != nil {
			t.Errorf("check after goose up: %v", err)
		}
		byGoose := describe(t, db, m.Engine())
		if steps, err := m.DownTo(ctx, 2); err != nil || len(steps) != n-2 {
			t.Errorf("down after goose up: %v, %v", steps, err)
		}
		if _, err := plain.DownTo(ctx, 0); err != nil {
			t.Errorf("goose down: %v", err)
		}
		if left := describe(t, db, m.Engine()); len(left) != 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
		if steps, err := m.Up(ctx); err != nil || !slices.Equal(versions(steps), upTo(int64(n))) {
			t.Errorf("up after goose down: %v, %v", steps, err)
		}
		same(t, "after both", describe(t, db, m.Engine()), byGoose)
		if pending, err := plain.HasPending(ctx); err != nil || pending {
			t.Errorf("goose sees pending migrations: %t, %v", pending, err)
		}
	})
}
