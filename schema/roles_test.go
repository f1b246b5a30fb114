package schema_test

import (
	"crypto/rand"
	"database/sql"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
)

// grants are the statements that docs/operations/migrations.md gives for the runtime
// role, so that the guide is what is tested.
func grants(tb testing.TB, role string) []string {
	tb.Helper()
	guide, err := readFile(os.DirFS("../docs/operations"), "migrations.md")
	if err != nil {
		tb.Fatal(err)
	}
	_, block, found := strings.Cut(guide, "<!-- grants -->\n```sql\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		tb.Fatal("the guide has no block of grants")
	}
	var all []string
	for statement := range strings.SplitSeq(strings.ReplaceAll(block, "hal9_server", role), ";") {
		if statement = strings.TrimSpace(statement); statement != "" && !strings.HasPrefix(statement, "CREATE ROLE") {
			all = append(all, statement)
		}
	}
	if len(all) < 5 {
		tb.Fatalf("%d grants", len(all))
	}
	return all
}

func readFile(files fs.FS, name string) (string, error) {
	text, err := fs.ReadFile(files, name)
	return string(text), err
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
