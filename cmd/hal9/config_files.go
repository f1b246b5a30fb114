package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/internal/pgurl"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// checkFiles reads the files that a valid configuration names, and says which of them a
// server could not use; warnings are of what it could use and should not.
func checkFiles(c *config.Config) (warnings []string, err error) {
	var all config.Errors
	fault := func(key string, err error) {
		if err == nil {
			return
		}
		problem := err.Error()
		for _, words := range []string{key, cacheutil.ErrURL.Error()} { // which the key says
			problem = strings.TrimPrefix(problem, words+": ")
		}
		all = append(all, &config.Error{Key: key, Source: c.Source(key), Problem: problem, Err: err})
	}
	if c.Server.TLSCert != "" {
		expiry, err := server.CertificateExpiry(c.Server.TLSCert, c.Server.TLSKey)
		key := "server.tls_cert"
		if err != nil && strings.HasPrefix(err.Error(), "server.tls_key: ") {
			key = "server.tls_key"
		}
		fault(key, err)
		if err == nil && time.Now().After(expiry) {
			warnings = append(warnings, fmt.Sprintf("server.tls_cert: the certificate has expired, on %s; renew it", expiry.UTC().Format(time.RFC3339)))
		}
	}
	fault("database.url", checkDatabaseFiles(c.Database.URL))
	fault("database.admin_url", checkDatabaseFiles(c.Database.AdminURL))
	for _, url := range c.Database.ReplicaURLs.Items() {
		fault("database.replica_urls", checkDatabaseFiles(url))
	}
	if c.Cache.URL != "" {
		_, err := cacheutil.ParseURL(c.Cache.URL)
		fault("cache.url", err)
	}
	if len(all) > 0 {
		return nil, all
	}
	return warnings, nil
}

// checkDatabaseFiles looks at an SQLite file's place, or reads what a PostgreSQL URL names.
func checkDatabaseFiles(url string) error {
	switch dburl.Engine(url) {
	case dburl.SQLite:
		path, err := dburl.SQLitePath(url)
		if err != nil {
			return err
		}
		return sqlite.CheckFile(path)
	case dburl.Postgres:
		_, err := pgurl.Parse(url)
		return err
	default:
		return nil
	}
}
