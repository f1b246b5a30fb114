// Package cacheutil is a typed cache in two tiers: decoded values in process
// memory, encoded ones in a Valkey or Redis that many processes share.
//
//	manager, err := cacheutil.Open(ctx, cacheutil.Config{URL: "redis://127.0.0.1:6379"})
//	users, err := cacheutil.New(manager, cacheutil.Options[User]{Name: "user", TTL: time.Minute})
//	user, err := users.Get(ctx, "user:42", func(ctx context.Context) (User, error) {
//		return db.User(ctx, 42)
//	})
//
// It is coherent: a write on one server drops the value from the memory of all.
// It is calm: many readers of a missing key make one load. It is never the reason
// for a failure: trouble with Valkey is a miss. Without Valkey the first tier
// works alone.
package cacheutil
