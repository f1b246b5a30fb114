package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/internal/pgurl"
)

// Engine tells which engine the URL names: dburl.Postgres or dburl.SQLite.
func (d Database) Engine() string { return dburl.Engine(d.URL) }

// sqliteFault says what is wrong with an SQLite URL. The parser is the one that
// opens the database, so that the two cannot disagree.
func sqliteFault(raw string) *fault {
	if _, err := dburl.SQLitePath(raw); err != nil {
		problem, mend, _ := strings.Cut(err.Error(), ": ")
		return &fault{problem, mend}
	}
	return nil
}

// postgresFault says what is wrong with a PostgreSQL URL, the files that it names apart:
// a configuration may be looked at elsewhere than it is used.
func postgresFault(raw string) *fault {
	if _, bad := splitURL(raw); bad != nil {
		return bad
	}
	_, err := pgurl.Parse(raw)
	if bad, ok := errors.AsType[*pgurl.URLError](err); ok && !bad.Here {
		return &fault{bad.Problem, bad.Mend}
	}
	return nil
}

func databaseURL() check {
	return check{"postgres://…, postgresql://… or sqlite:…", func(v any) *fault {
		s := format(v)
		switch dburl.Engine(s) {
		case dburl.Postgres:
			return postgresFault(s)
		case dburl.SQLite:
			return sqliteFault(s)
		default:
			return &fault{
				"the URL names no known engine",
				"begin it with postgres://, postgresql:// or sqlite://",
			}
		}
	}}
}

func adminURL() check {
	return check{"postgres://… or postgresql://…", func(v any) *fault {
		s := format(v)
		if s == "" {
			return nil
		}
		if dburl.Engine(s) != dburl.Postgres {
			return &fault{"this is no PostgreSQL URL", "begin it with postgres:// or postgresql://"}
		}
		return postgresFault(s)
	}}
}

func replicaURLs() check {
	const allowed = "postgres://… or postgresql://…, with commas between them"
	return check{allowed, func(v any) *fault {
		list, _ := v.(List)
		for i, item := range list.Items() {
			place := fmt.Sprintf("the URL at place %d ", i+1)
			if dburl.Engine(item) != dburl.Postgres {
				return &fault{place + "is no PostgreSQL URL", "begin each with postgres:// or postgresql://, and give each host a URL of its own"}
			}
			if bad := postgresFault(item); bad != nil {
				return &fault{place + "is not valid: " + bad.problem, bad.mend}
			}
		}
		return nil
	}}
}

// cacheFault says what is wrong with the URL of a cache server, the files that it names
// apart. The parser is the one that opens the cache.
func cacheFault(raw string) *fault {
	_, err := cacheutil.ParseURL(raw)
	if err == nil || errors.Is(err, cacheutil.ErrURLFile) {
		return nil
	}
	problem, mend, _ := strings.Cut(strings.TrimPrefix(err.Error(), cacheutil.ErrURL.Error()+": "), ": ")
	return &fault{problem, mend}
}

func cacheURL() check {
	return check{"redis://…, rediss://…, valkey://…, valkeys://… or unix://…", func(v any) *fault {
		s := format(v)
		if s == "" {
			return nil
		}
		u, bad := splitURL(s)
		if bad != nil {
			return bad
		}
		switch u.scheme {
		case "redis", "rediss", "valkey", "valkeys", "unix":
			return cacheFault(s)
		default:
			return &fault{"the URL names no cache server", "begin it with redis:// or, for TLS, rediss://"}
		}
	}}
}
