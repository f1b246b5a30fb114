package pgurl

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/internal/netcause"
)

// Why says in a clause why no connection came about, and what mends it where that is known.
// err is what pgx said of it. SQLSTATEs and types are looked at, never texts.
func Why(err error) string {
	// With sslmode=prefer the first of several errors is most often that the server has no
	// TLS; what it said without it comes first.
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return saidNo(pg)
	}
	switch cause := netcause.Of(err); cause {
	case "":
	case netcause.Closed:
		return string(cause) + " before the server answered: is it PostgreSQL that listens there?"
	case netcause.UnknownAuthority:
		return string(cause) + ": name its file by sslrootcert in the URL"
	default:
		return string(cause)
	}
	if demandsTLS(err) {
		return "no TLS came about, which the sslmode of the URL demands: set ssl = on in PostgreSQL, " +
			"or, where nobody else reads the network, sslmode=disable"
	}
	return "the connection failed"
}

// saidNo is for a server, or a pooler before it, that answered.
func saidNo(pg *pgconn.PgError) string {
	switch pg.Code {
	case "28P01":
		return "the user or the password was refused"
	case "28000":
		return "the user was refused: there is none of this name, it has no LOGIN, or pg_hba.conf does not let it in from here, or not without TLS"
	case "3D000":
		return "there is no such database: make it by CREATE DATABASE"
	case "42501":
		return "the user may not connect to this database: GRANT CONNECT ON DATABASE lets it"
	case "42704", "22023", "55P02":
		return "the server does not take a parameter of the URL, behind its question mark"
	case "53300":
		return "no connection is left for this user, database or server: lower database.max_connections, or raise max_connections of PostgreSQL or CONNECTION LIMIT of the role"
	case "57P03":
		return "the server is starting, stopping or recovering"
	case "08P01":
		// PgBouncer says this of all that it does not like.
		return "a pooler refused the connection: it does not know the user, the password or the database, or not a parameter " +
			"of the session; in transaction mode set database.pooler to transaction"
	}
	switch {
	case strings.HasPrefix(pg.Code, "28"):
		return "the user or the password was refused"
	case strings.HasPrefix(pg.Code, "3D"):
		return "there is no such database"
	default:
		return "the server refused the connection with SQLSTATE " + pg.Code
	}
}

// Pooler tells whether a statement failed because each one, or each transaction, is given
// another connection, and the mend.
func Pooler(err error) (mend string, found bool) {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Code != "42P05" && pg.Code != "26000" { // a prepared statement is there already, or is not
		return "", false
	}
	return "a pooler in transaction mode stands between: set database.pooler to transaction, and database.admin_url to the URL of PostgreSQL itself", true
}

// demandsTLS tells whether no attempt was allowed without TLS.
func demandsTLS(err error) bool {
	failed, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok || failed.Config == nil || failed.Config.TLSConfig == nil {
		return false
	}
	for _, f := range failed.Config.Fallbacks {
		if f.TLSConfig == nil {
			return false
		}
	}
	return true
}
