// Package copydb moves a whole database to another one of either engine: it copies
// table after table, goes on where it was interrupted, follows a source that is in use
// until a short switch, and compares both row by row. What it can copy it can also
// write into a file and read from one.
//
// It asks each database what tables and columns it has, so that a migration which adds
// one needs nothing here, and a type of column that it does not know stops it.
package copydb
