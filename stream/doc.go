// Package stream is the feed of committed signals: it hands each one to everybody who
// listens, as soon as it is committed, by whichever server.
//
// The feed is a ring in memory, in the order in which this server learned of the commits.
// A listener is a place in it and owns no buffer: what a thousand listeners cost is one
// copy of the signals, and one that reads too slowly finds its place overwritten. While
// nobody listens, and for a while after, nothing is kept.
//
// Servers tell each other by a Bus: after each committed batch, a notice with the ids.
// Every server reads the rows of a batch once, by their keys. What a bus loses is read
// from the database: each time it was away, by the time of the signals, with an overlap,
// since commits come out of the order of ids; what is known already is passed over.
package stream
