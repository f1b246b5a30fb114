// Package postgres is what is truly PostgreSQL's own: the pool, the translation of
// its errors, bulk insert by COPY, partitions, and transactions. The statements are
// generated (gen/pgstore, gen/pgdb).
package postgres
