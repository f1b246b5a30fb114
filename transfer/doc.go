// Package transfer brings what other databases hold into a store. For now it
// imports the SQLite files that the original HAL9 server wrote.
//
// Open reads a file through before anything is written: that it is a whole
// database, whose it is, and that its tables can be read. Import then copies it in
// chunks, each in a transaction of its own, and reports what became of every row.
// The file is never written to, and nothing is left beside it.
//
// The variants of such files stand in a table, each with a file of its own; what
// they have in common (reading values, times, ids, JSON) is shared. docs/import.md
// tells users what is mapped to what.
package transfer
