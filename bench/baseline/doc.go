// Package baseline holds the plain servers that this service is measured against:
// what somebody would write by hand in an afternoon, and done well: gin in release
// mode with recovery only, prepared statements, a pool, answers after the commit. They
// have no validation, access, metrics, logs or ids of requests. They must never be
// made slower for the sake of a comparison.
//
//   - hello answers a fixed JSON object: the ceiling of HTTP by gin.
//   - ginpgx is gin and a pgx pool, one INSERT or SELECT a request.
//   - ginsqlite is gin and database/sql on modernc.org/sqlite, one transaction or SELECT
//     a request, synchronous=FULL.
//
// All listen on the address of their first argument, which must be a loopback one, and
// use the tables that `hal9 migrate up` has made.
package baseline
