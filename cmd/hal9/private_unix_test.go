//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever command makes the database, nobody else on the machine can read it.
func TestNewDatabaseIsPrivate(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"migrate": {"migrate", "up"},
		"admin":   {"admin", "create-key"},
	} {
		path := filepath.Join(t.TempDir(), "hal9.db")
		if o := hal9(t, []string{"HAL9_DATABASE_URL=sqlite://" + path}, args...); o.code != exitOK {
			t.Fatalf("%s: %+v", name, o)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}
