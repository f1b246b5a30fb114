// Package pgurl reads PostgreSQL URLs, and says why no connection came about. Its words hold
// no password and nothing that a server said, so that they can be shown and logged.
package pgurl

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Parse reads a URL as libpq does, pgxpool's parameters (pool_max_conns …) included. Files
// that it names, as by sslrootcert, are read. The error, a *URLError, does not hold the URL.
func Parse(raw string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(raw)
	if err != nil {
		return nil, errorOf(raw, err)
	}
	return c, nil
}

// URLError says what is wrong with a URL, and what to do about it.
type URLError struct {
	Problem, Mend string
	// Here says that a file of this machine is at fault, and not the URL: on another it
	// may be well.
	Here bool
}

// Error implements error: problem; mend.
func (f *URLError) Error() string { return f.Problem + "; " + f.Mend }

// errorOf looks at what pgx found. Its own text may repeat the URL.
func errorOf(raw string, err error) *URLError {
	if file, ok := errors.AsType[*fs.PathError](err); ok && named(raw, file.Path) {
		return &URLError{
			Problem: fmt.Sprintf("it names the file %s, which cannot be read: %v", file.Path, file.Err),
			Mend:    "mend sslrootcert, sslcert, sslkey or passfile in the URL, or let this user read the file", Here: true,
		}
	}
	query := query(raw)
	switch mode := query.Get("sslmode"); mode {
	case "", "disable", "allow", "prefer", "require", "verify-ca", "verify-full":
	default:
		return &URLError{Problem: fmt.Sprintf("sslmode is %q", mode), Mend: "write sslmode=disable, prefer, require, verify-ca or verify-full"}
	}
	if query.Has("sslcert") != query.Has("sslkey") {
		return &URLError{Problem: "it has one of sslcert and sslkey", Mend: "give both, or neither"}
	}
	if query.Has("sslrootcert") || query.Has("sslcert") {
		return &URLError{Problem: "its sslrootcert, sslcert or sslkey is no certificate or key in PEM form", Mend: "name files that are", Here: true}
	}
	return &URLError{
		Problem: "it cannot be read as a PostgreSQL URL",
		Mend:    "write postgres://user:password@host:port/database, with special characters of the password percent-encoded",
	}
}

func query(raw string) url.Values {
	_, text, _ := strings.Cut(raw, "?")
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil
	}
	return values
}

// named tells whether the URL names a file itself: libpq's own places are none of its faults.
func named(raw, file string) bool {
	for _, values := range query(raw) {
		if slices.Contains(values, file) {
			return true
		}
	}
	return false
}

// Target tells where a configuration leads: host:port, the database and the user.
func Target(c *pgconn.Config) string {
	hosts := []string{place(c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		if at := place(f.Host, f.Port); at != hosts[len(hosts)-1] {
			hosts = append(hosts, at)
		}
	}
	return fmt.Sprintf("%s, database %s, as user %s", strings.Join(hosts, " or "), c.Database, c.User)
}

func place(host string, port uint16) string { return fmt.Sprintf("%s:%d", host, port) }
