package config

import "time"

// edgeKeys are those of the way from a client to this server.
func edgeKeys() []Key {
	return []Key{
		{
			Name: "server.tls_cert", check: anyText("path of a PEM file"),
			Help: "The certificate with its chain, in PEM, for HTTPS. Read again when the file changes, and at SIGHUP. With server.tls_key.",
		},
		{
			Name: "server.tls_key", check: anyText("path of a PEM file"),
			Help: "The private key of server.tls_cert.",
		},
		{
			Name: "server.hsts_max_age", Default: "365d", check: atLeast(0),
			Help: "For how long browsers are told, over HTTPS, to use nothing else (Strict-Transport-Security). Not sent for loopback names. 0 does not tell them.",
		},
		{
			Name: "server.trusted_proxies", RequiredModeOnly: true, check: prefixes(),
			Help: "Addresses of proxies whose X-Forwarded-For or Forwarded is believed. Others' are passed over. Without effect while auth.mode is open, which refuses such requests.",
		},
		{
			Name: "server.cors_origins", check: origins(),
			Help: "Origins whose web pages may call this server from browsers.",
		},
	}
}

// accessKeys are about who may call, and how often.
func accessKeys() []Key {
	return []Key{
		{
			Name: "auth.mode", Default: AuthOpen, check: oneOf(AuthOpen, AuthRequired),
			Help: "Who may call: open lets everybody on this machine in, required asks for an account or an API key.",
		},
		{
			Name: "auth.registration", check: oneOfOrNone(RegistrationOpen, RegistrationClosed),
			Help: "Whether strangers may make themselves users. Default: open while auth.mode is open, closed otherwise.",
		},
		{
			Name: "limits.per_key", Default: "0", check: between(0, 10_000_000),
			Help: "How many requests each API key, or user who logged in, may send in limits.window to this server. 0 is no limit.",
		},
		{
			Name: "limits.per_address", Default: "0", check: between(0, 10_000_000),
			Help: "How many requests without a valid credential each address may send in limits.window to this server. 0 is no limit.",
		},
		{
			Name: "limits.window", Default: "1m", check: atLeast(time.Second),
			Help: "The time that limits.per_key and limits.per_address are about.",
		},
		{
			Name: "limits.requests", Default: "1024", check: between(0, 1_000_000),
			Help: "How many requests may be under way at a time, unless others are refused because the processor is short. More may be while the server, at the rate at which it answers, answers them within limits.requests_delay; beyond that, but for bursts, they are answered 503 at once. Probes and streams do not count, administration and /metrics have places of their own. 0 is no limit.",
		},
		{
			Name: "limits.requests_delay", Default: "100ms", check: atLeast(time.Millisecond),
			Help: "How long requests may take, on average, by there being many of them at once.",
		},
		{
			Name: "limits.refusal_pause", Default: "10s", check: atLeast(0),
			Help: "How long, at the most, a connection whose request was answered 503 for that is left unread, until the time in Retry-After is over: clients who do not heed it cost nothing then. Connections of proxies, as server.trusted_proxies or a header X-Forwarded-For, Forwarded or Via tell them, are read on at once. 0 reads on all of them.",
		},
		{
			Name: "limits.streams", Default: "2000", check: between(1, 1_000_000),
			Help: "How many may listen to the stream of signals of this server at a time. More are answered 503.",
		},
		{
			Name: "limits.streams_per_client", Default: "100", check: between(0, 1_000_000),
			Help: "How many of them may be of one user, or of one address without an account. More are answered 429. 0 is no limit.",
		},
		{
			Name: "metrics.public", Default: wordFalse, RequiredModeOnly: true, check: anyText("true, false"),
			Help: "Whether /metrics answers who shows no credential also when auth.mode is required. While it is open it always does.",
		},
	}
}
