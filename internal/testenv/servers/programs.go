package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// PostgresBinVariable names the environment variable that chooses the directory
// of the PostgreSQL programs, for instance to test with another version.
const PostgresBinVariable = "HAL9_TEST_POSTGRES_BIN"

// oldestPostgres is the first major version that the project supports.
const oldestPostgres = 14

// MissingError says that a server's programs are not installed.
type MissingError struct {
	// What is the program that is missing.
	What string
	// Looked says where it was looked for.
	Looked string
	// Variable is the environment variable that names a server to use instead, "" if none does.
	Variable string
	// Packages are the Debian packages that have it, the best first.
	Packages []string
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed (looked %s)", e.What, e.Looked)
}

// FindPostgres returns the directory of the newest PostgreSQL programs, or a
// MissingError.
func FindPostgres(ctx context.Context) (string, error) {
	if dir := os.Getenv(PostgresBinVariable); dir != "" {
		version, err := postgresVersion(ctx, dir)
		if err == nil && version >= oldestPostgres {
			return dir, nil
		}
		if err == nil {
			err = fmt.Errorf("version %d is older than %d", version, oldestPostgres)
		}
		return "", missingPostgres(fmt.Sprintf("in %s, which %s names: %v", dir, PostgresBinVariable, err))
	}

	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for PostgreSQL: %w", err)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(resolved))
		}
	}
	best, newest := "", oldestPostgres-1
	for _, dir := range dirs {
		// A directory without both programs is no choice; others may be.
		if version, err := postgresVersion(ctx, dir); err == nil && version > newest {
			best, newest = dir, version
		}
	}
	if best == "" {
		return "", missingPostgres("on PATH and in /usr/lib/postgresql/*/bin")
	}
	return best, nil
}

func missingPostgres(looked string) error {
	return &MissingError{
		What:     fmt.Sprintf("PostgreSQL %d or newer", oldestPostgres),
		Looked:   looked,
		Variable: PostgresVariable,
		Packages: []string{"postgresql"},
	}
}

var postgresMajor = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// postgresVersion returns the major version of the programs in dir.
func postgresVersion(ctx context.Context, dir string) (int, error) {
	if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
		return 0, fmt.Errorf("look for initdb: %w", err)
	}
	output, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // a program that was found
	if err != nil {
		return 0, fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	match := postgresMajor.FindSubmatch(output)
	if match == nil {
		return 0, fmt.Errorf("no version in %q", output)
	}
	version, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return 0, fmt.Errorf("read PostgreSQL's version: %w", err)
	}
	return version, nil
}

// FindCache returns the path of valkey-server or redis-server, or a
// MissingError.
func FindCache() (string, error) {
	names := []string{"valkey-server", "redis-server"}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("look for %s: %w", name, err)
		}
	}
	return "", &MissingError{
		What:     "Valkey or Redis",
		Looked:   "on PATH for " + strings.Join(names, " and "),
		Variable: CacheVariable,
		Packages: names,
	}
}
