package main

import (
	"errors"
	"fmt"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/internal/pgurl"
	"github.com/hal9-ai/hal9/schema"
)

// adminURL is the URL past a pooler.
func adminURL(c *config.Config) string {
	_, url := databaseKey(c, true)
	return url
}

// databaseKey is the setting that leads to the database: for the owner of the tables, or
// for a server.
func databaseKey(c *config.Config, owner bool) (key, url string) {
	if owner && c.Database.AdminURL != "" {
		return "database.admin_url", c.Database.AdminURL
	}
	return "database.url", c.Database.URL
}

// isItRight names the key that led to a database which does not answer. SQLite says all by
// itself.
func isItRight(c *config.Config, owner bool) string {
	if c == nil {
		return ""
	}
	key, url := databaseKey(c, owner)
	if dburl.Engine(url) != dburl.Postgres {
		return ""
	}
	return "Is PostgreSQL running, and is " + key + " (" + config.MaskURL(url) + ") right?"
}

// migrateError gives an error of package schema its exit code and its mend. c is nil where
// the URL is no setting.
func migrateError(err error, c *config.Config) error {
	switch {
	case errors.Is(err, schema.ErrUnreachable):
		return &ExitError{Code: exitUnreachable, Err: err, Hint: isItRight(c, true)}
	case errors.Is(err, schema.ErrURL), errors.Is(err, schema.ErrVersion), errors.Is(err, schema.ErrPooled):
		return &ExitError{Code: exitUsage, Err: err}
	default:
		return refusedError(err, c, true)
	}
}

// refusedError is for a database that answers: a URL that names what is not there, a role
// without rights.
func refusedError(err error, c *config.Config, owner bool) error {
	if _, ok := errors.AsType[*pgurl.URLError](err); ok {
		return &ExitError{Code: exitUsage, Err: err}
	}
	if errors.Is(err, cacheutil.ErrURL) {
		return &ExitError{Code: exitUsage, Err: fmt.Errorf("cache.url cannot be used: %w", err)}
	}
	if c == nil || !schema.NoPrivilege(err) {
		return err
	}
	key, url := databaseKey(c, owner)
	hint := "The role of " + key + " (" + config.MaskURL(url) + ") lacks a right. "
	if owner {
		hint += "This is for the owner of the tables; on a new database it needs CREATE in the schema."
	} else {
		hint += "'hal9 migrate grant ROLE', run by the owner of the tables, gives it what a server needs."
	}
	return &ExitError{Code: exitFailure, Err: err, Hint: hint}
}
