// Package sqlite is what is truly SQLite's own: one writer that commits together
// what arrives together, the readers, the translation of errors, and bulk insert.
// The statements are generated (gen/sqlitestore, gen/sqlitedb).
package sqlite
