// Package upkeep does the housekeeping of a database beside the server: it deletes what
// has expired or outlived its retention, and makes the coming months' partitions.
//
// Of many servers on one database one does it. It holds a lease, a row with a time at
// which it ends; a server that dies loses it by that time, and another takes over. The
// lease spares work and guards nothing: should two servers act at once, because their
// clocks differ, each row is still deleted once.
//
// Rows go in chunks, each a short transaction, and the keeper rests after a chunk as
// long as the chunk took: writers have at least half of the time, and all of it while
// nothing is to be deleted.
package upkeep
