package config

import "time"

// streamKeys are about the stream of committed signals.
func streamKeys() []Key {
	return []Key{
		{
			Name: "stream.bus", Default: BusAuto, check: oneOf(BusAuto, BusValkey, BusPostgres, BusNone),
			Help: "How servers tell each other of committed signals, so that each streams what the others took in: valkey by channels of cache.url, postgres by NOTIFY with two connections more, which go to database.admin_url if it is set and must not lead through a pooler; none is for one server alone. auto is valkey if cache.url is set, else postgres on PostgreSQL, else none.",
		},
		{
			Name: "stream.heartbeat", Default: "15s", check: atLeast(100 * time.Millisecond),
			Help: "How long a stream may be silent before a comment is sent, so that no proxy takes it for dead.",
		},
		{
			Name: "stream.buffer_bytes", Default: "64MiB", check: sizeBetween(MiB, GiB),
			Help: "Memory for the last signals, of which each server keeps one copy for all its listeners. Their ids, by which each is told once, take up to 10 MiB more, and 3 MiB with 8MiB or less. A listener that falls behind them is ended, and resumes from the database.",
		},
	}
}
