package schema

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// EngineOf tells which engine a database URL names.
func EngineOf(databaseURL string) (Engine, error) {
	switch {
	case strings.HasPrefix(databaseURL, "postgres://"), strings.HasPrefix(databaseURL, "postgresql://"):
		return Postgres, nil
	case strings.HasPrefix(databaseURL, "sqlite:"):
		return SQLite, nil
	default:
		return "", fmt.Errorf("%w: it names no known engine; begin it with postgres://, postgresql:// or sqlite://", ErrURL)
	}
}

// sqliteFile returns the absolute path of the file that an SQLite URL names.
// Symbolic links are followed, so that all migrators of a file share one lock.
func sqliteFile(databaseURL string) (string, error) {
	path := strings.TrimPrefix(strings.TrimPrefix(databaseURL, "sqlite:"), "//")
	if path == ":memory:" {
		return "", fmt.Errorf("%w: sqlite::memory: ends with the program that opened it; name a file, as in sqlite://hal9.db", ErrURL)
	}
	if strings.ContainsAny(path, "?#") {
		return "", fmt.Errorf("%w: an SQLite URL takes no parameters; in a file's name write ? as %%3F and # as %%23", ErrURL)
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return "", fmt.Errorf("%w: the path has a %% that begins no escape; write %%25 for a percent sign", ErrURL)
	}
	if path == "" || strings.HasSuffix(path, "/") || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("%w: it names no file; write sqlite:///var/lib/hal9.db or sqlite://hal9.db", ErrURL)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the database file: %w", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target, nil
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(folder, filepath.Base(path)), nil
	}
	return path, nil
}
