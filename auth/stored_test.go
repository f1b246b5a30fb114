package auth_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/hal9-ai/hal9/auth"
)

// Whoever reads the whole database finds no password, token or key in it that opens
// anything: neither the text nor the random part of it.
func TestSecretsAreStoredHashed(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		made := b.register("ann")
		first := b.login("ann")
		second := must(b.Refresh(t.Context(), first.RefreshToken, home()))(t)
		_, key, err := b.APIKeyCreate(t.Context(), b.user("ann"), auth.APIKeyCreateParams{Name: "k", Client: home()})
		ok(t, err)
		is(t, b.tryLogin("ann", "a wrong password", home()), auth.ErrBadCredentials)
		secrets := []string{password, "a wrong password"}
		for _, token := range []string{first.AccessToken, first.RefreshToken, second.AccessToken, second.RefreshToken, key} {
			random := token[strings.LastIndex(token, "_")+1:]
			if len(random) < 2*128/8 {
				t.Errorf("a token has %d hexadecimal digits, fewer than 128 bits", len(random))
			}
			secrets = append(secrets, token, random[:32])
		}
		stored := everything(t, b.url)
		if !strings.Contains(stored, made.ID.String()) || !strings.Contains(stored, "$argon2id$") {
			t.Fatalf("the database was not read:\n%.2000s", stored)
		}
		found := 0
		for _, secret := range secrets {
			if strings.Contains(stored, secret) {
				found++
				t.Errorf("%.12s… is stored", secret)
			}
		}
		t.Logf("%d secrets, %d bytes of rows: %d found", len(secrets), len(stored), found)
	})
}

// everything is the text of all rows of all tables.
func everything(t *testing.T, url string) string {
	t.Helper()
	driver, source, tables, row := "pgx", url, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`, `SELECT x::text FROM %q AS x`
	if path, sqlite := strings.CutPrefix(url, "sqlite://"); sqlite {
		driver, source, tables = "sqlite", path, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'memories_search%'`
	}
	db, err := sql.Open(driver, source)
	ok(t, err)
	defer func() { _ = db.Close() }()
	list := func(query string) []string {
		rows, err := db.QueryContext(t.Context(), query)
		ok(t, err)
		defer func() { _ = rows.Close() }()
		columns := must(rows.Columns())(t)
		var texts []string
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			ok(t, rows.Scan(into...))
			texts = append(texts, strings.Trim(fmt.Sprint(values...), "[]"))
		}
		ok(t, rows.Err())
		return texts
	}
	if driver == "sqlite" {
		row = `SELECT * FROM %q`
	}
	all := &strings.Builder{}
	for _, table := range list(tables) {
		all.WriteString(strings.Join(list(fmt.Sprintf(row, table)), "\n") + "\n")
	}
	return all.String()
}
