// Package model holds the words that every part of the service speaks: the
// entities, the parameters and the interface of all queries (generated from the
// SQL), the sentinel errors, the JSON type, and ids. It imports nothing of ours.
package model
