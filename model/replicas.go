package model

import "time"

// ReplicaStats tells how the replicas of a database do.
type ReplicaStats struct {
	Replicas []ReplicaStat
	// Fallbacks counts by reason the reads that the primary answered although a replica
	// might have.
	Fallbacks map[string]int64
}

// ReplicaStat is one replica.
type ReplicaStat struct {
	// Name is host:port.
	Name string
	// Usable says that reads may go to it.
	Usable bool
	// Lag is the longest time by which it can be behind the primary, 0 if it has all that
	// was seen of that. LagKnown is false before it was seen to be anywhere.
	Lag      time.Duration
	LagKnown bool
	// Reads counts the queries that it answered.
	Reads int64
}
