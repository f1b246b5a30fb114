package dburl_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/dburl"
)

// A URL names a file or is refused in words that do not repeat it.
func FuzzSQLitePath(f *testing.F) {
	for _, raw := range []string{"sqlite::memory:", "sqlite://hal9.db", "sqlite:///var/lib/hal9.db", "sqlite://a%3fb", "sqlite://%zz", "sqlite://x?y", "sqlite:", "sqlite://../", "postgres://u:p@h/d", "sqlite://a%00b"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		path, err := dburl.SQLitePath(raw)
		if err != nil {
			if rest := strings.TrimPrefix(raw, "sqlite:"); len(rest) > 12 && strings.Contains(strings.ReplaceAll(err.Error(), dburl.Examples, ""), rest) {
				t.Errorf("the error repeats %q: %v", raw, err)
			}
			return
		}
		if dburl.Engine(raw) != dburl.SQLite || path == "" || strings.ContainsRune(path, 0) {
			t.Errorf("%q is the file %q", raw, path)
		}
	})
}
