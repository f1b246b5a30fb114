package config

import "time"

// upkeepKeys are the settings of the housekeeping, and how long things are kept.
func upkeepKeys() []Key {
	return []Key{
		{
			Name: "audit.retention", Default: "365d", check: retention("entry of the audit log"),
			Help: "How long entries of the audit log are kept. 0 keeps them for ever.",
		},
		{
			Name: "metrics.retention", Default: "90d", check: retention("stored metric"),
			Help: "How long stored metrics are kept, those of the table metrics_aggregate. 0 keeps them for ever.",
		},
		{
			Name: "upkeep.interval", Default: "5m", check: atLeast(time.Second),
			Help: "How often the database is cleared of what has expired or outlived its retention, by one of the servers on it. A server that dies is replaced after two to three of these times.",
		},
	}
}
