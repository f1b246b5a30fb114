// Package cacheutil is a typed cache in two tiers: decoded values in process
// memory, encoded ones in a Valkey or Redis that many processes share.
//
//	manager, err := cacheutil.Open(ctx, cacheutil.Config{URL: "redis://127.0.0.1:6379"})
//	users, err := cacheutil.New(manager, cacheutil.Options[User]{Name: "user", TTL: time.Minute})
//	user, err := users.Get(ctx, "user:42", func(ctx context.Context) (User, error) {
//		return database.User(ctx, 42)
//	})
//	...
//	users.Invalidate(ctx, "user:42", user.Version) // after the commit
//
// # What it promises
//
// It is coherent. A write on one server drops the value from the memory of all,
// through Valkey's client tracking, within milliseconds. While the connection that
// carries these messages is broken, process memory is not used: not even the first
// read is older than the break.
// One that is silent and not broken has memory used for Config.LocalMaxTTL more at
// most. That calls are answered late makes no difference.
//
// It never lets an old value overwrite a new one. A load that began before an
// invalidation gives its value to those who wait for it, and to no one else:
// whoever loads holds a lease in Valkey, which an invalidation takes away, and
// process memory has a fence, which an invalidation moves. Values written through
// carry the version of their row, and an older version never replaces a newer.
//
// It is calm. However many readers in however many processes miss a key, one of
// them loads it. If that one dies, its lease ends by itself.
//
// It is never the reason for a failure. A Valkey that is down, slow, full,
// read-only or filled with other things is a miss and a count. A breaker stops
// asking it and probes until it is back. An invalidation that Valkey did not take
// is kept and repeated; until then its key is loaded each time.
//
// It is bounded: process memory by bytes, everything else by what is going on at
// the moment, never by the number of keys that were ever read.
//
// # What it asks
//
// Call Invalidate or Put after the commit, never before, and for every write.
// Between the commit and the call readers may still get the old value, and if the
// process dies in between, until the TTL ends.
//
// Versions of one key come from one sequence that grows over deletes and
// recreations too. Without versions there is Invalidate; Put needs them.
//
// A load must not read from a replica that lags behind: its value would be taken
// for one that is newer than the last invalidation. It must end when its context
// does.
//
// Values are shared between readers. They are immutable, and so is what they refer
// to.
//
// # Where a value comes from
//
// Get looks into process memory, where a hit costs no allocation and hardly more
// than the cache library beneath. What is missing there is asked of Valkey by one
// script, which answers with the value, or with a lease, or with how long another
// process's lease lives. Whoever has the lease loads, and stores by a script that
// compares it. Whoever waits is woken when the load has ended.
//
// Values carry the hash of their type's structure: a program of another version,
// whose type has another field, does not decode them, and both go on by loading.
//
// # Without Valkey
//
// With an empty URL the first tier works alone. Several processes then agree
// within Config.LocalMaxTTL.
package cacheutil
