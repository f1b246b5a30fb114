package config

import "time"

// accountKeys are about logins; how they work is in docs/accounts.md.
func accountKeys() []Key {
	return []Key{
		{
			Name: "auth.access_ttl", Default: "15m", check: atLeast(time.Second),
			Help: "How long an access token lives. At most auth.refresh_ttl.",
		},
		{
			Name: "auth.refresh_ttl", Default: "7d", check: atLeast(time.Second),
			Help: "How long a refresh token lives, and with it a session that is not renewed.",
		},
		{
			Name: "auth.hash_concurrency", Default: "0", check: between(0, 1024),
			Help: "How many passwords are hashed at once, each on one core and in 19 MiB. 0 is half as many as there are cores, at least one, so that logins leave the other half to all else. 32 times as many may wait.",
		},
		{
			Name: "auth.hash_queue_timeout", Default: "1s", check: atLeast(time.Millisecond),
			Help: "How long a login waits for its turn to be hashed; then, or at once if those before it take longer, it is answered 503.",
		},
		{
			Name: "auth.hash_process", Default: HashProcessAuto, check: oneOf(HashProcessAuto, HashProcessOff),
			Help: "Where passwords are hashed. auto is a process of its own with a low priority (nice 10), so that logins slow down nothing else; the server starts it at the first password, ends it a minute after the last, and hashes by itself where it cannot be started. It takes some 15 MiB beside those of the hashes, outside of GOMEMLIMIT. off is always in the server.",
		},
		{
			Name: "auth.failures_per_account", Default: "10", check: between(1, 1_000_000),
			Help: "How many logins to one account may fail within auth.failure_window; further ones are answered 429. Addresses from which the account logged in before have a budget of their own.",
		},
		{
			Name: "auth.failures_per_address", Default: "100", check: between(1, 1_000_000),
			Help: "How many logins from one address may fail within auth.failure_window, whatever the account. IPv6 addresses count by their first 64 bits.",
		},
		{
			Name: "auth.failure_window", Default: "15m", check: atLeast(time.Second),
			Help: "The time in which a budget of failures is filled again, bit by bit.",
		},
	}
}
