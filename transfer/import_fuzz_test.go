package transfer_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/transfer"
)

// Whatever a file of the original HAL9 holds, reading it ends: with a report that counts
// every row once, or with an error. Nothing is written in a dry run.
func FuzzImport(f *testing.F) {
	for variant, script := range map[string]string{
		"A": ddlA, "B": ddlB, "C": ddlC + `INSERT INTO memories VALUES ('m1', 'n', 'L4', 1700000000, 'Task', 'text', '{"a":1}', x'0000803f', 0.5, 1, 1700000000);`,
		"D":              ddlD + `INSERT INTO signals VALUES ('s1', 'a', 'b', 'L4', 'L3', 'text', 1700000000); INSERT INTO neurons (id, state) VALUES ('n', 'Running');`,
		"loose":          looseC + `INSERT INTO memories VALUES (1, x'ff', NULL, 1e400, '', zeroblob(10), '{', 'x', -1, 'y', 9e99);`,
		"loose accounts": looseAccounts + `INSERT INTO users VALUES ('u', 'ann', '', '$2b$12$x', 'admin', 'yes', 2, '2024-01-01', -1, 'x'); INSERT INTO api_keys VALUES (1, 'u', '', 'h', '["ViewSignals",1]', NULL, 'x', 0, 9e18);`,
	} {
		path := filepath.Join(f.TempDir(), variant+".db")
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			f.Fatal(err)
		}
		for _, statement := range []string{"PRAGMA page_size = 512", script} { // small pages make small seeds
			if _, err := db.ExecContext(f.Context(), statement); err != nil {
				f.Fatalf("variant %s: %v", variant, err)
			}
		}
		if err := db.Close(); err != nil {
			f.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "old.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		source, err := transfer.Open(ctx, path)
		if err != nil {
			return
		}
		defer source.Close()
		report, err := transfer.Import(ctx, source, nil, transfer.Options{DryRun: true})
		if ctx.Err() != nil {
			t.Fatal("it does not end")
		}
		if err == nil && report == nil {
			t.Error("neither report nor error")
		}
	})
}
