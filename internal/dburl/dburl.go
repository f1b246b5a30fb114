// Package dburl reads database URLs: which engine they name, and which file.
package dburl

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

// The engines.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// MemoryPath is the path of a database in memory.
const MemoryPath = ":memory:"

// Examples are shown wherever a URL cannot be read.
const Examples = "write postgres://user:password@host:port/database, sqlite::memory:, sqlite://hal9.db or sqlite:///var/lib/hal9.db"

// Engine tells which engine the URL names, "" if none. Errors here and below never
// hold the URL, which may have a password in it.
func Engine(raw string) string {
	switch {
	case strings.HasPrefix(raw, "postgres://"), strings.HasPrefix(raw, "postgresql://"):
		return Postgres
	case strings.HasPrefix(raw, "sqlite:"):
		return SQLite
	default:
		return ""
	}
}

// SQLitePath returns the file that an SQLite URL names: sqlite:///var/hal9.db is
// absolute, sqlite://hal9.db and sqlite:hal9.db are relative to the working
// directory, sqlite::memory: is MemoryPath.
func SQLitePath(raw string) (string, error) {
	rest, found := strings.CutPrefix(raw, "sqlite:")
	if !found {
		return "", errors.New("this is no SQLite URL: " + Examples)
	}
	rest = strings.TrimPrefix(rest, "//")
	if rest == MemoryPath {
		return MemoryPath, nil
	}
	if strings.ContainsAny(rest, "?#") {
		return "", errors.New("an SQLite URL takes no parameters: remove everything from the ? or # on; in a file's name write them %3F and %23")
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		return "", errors.New("the path has a % that begins no escape: write %25 for a percent sign")
	}
	if path == "" || strings.HasSuffix(path, "/") || strings.ContainsRune(path, 0) {
		return "", errors.New("the URL names no file: " + Examples)
	}
	return filepath.Clean(path), nil
}
