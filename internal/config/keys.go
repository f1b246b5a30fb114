package config

import (
	"reflect"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/internal/dburl"
)

// Kinds of values, as Key.Type tells them.
const (
	TypeText     = "text"
	TypeURL      = "URL"
	TypeInteger  = "integer"
	TypeFraction = "fraction"
	TypeDuration = "duration"
	TypeSize     = "size"
	TypeBoolean  = "boolean"
	TypeList     = "list"
)

// Key describes one setting.
type Key struct {
	Name    string // as in database.max_connections
	Type    string // one of the Type constants
	Default string // as it would be written; empty for none
	Allowed string // the values that are accepted, in words; empty for any
	Env     string // the environment variable, HAL9_DATABASE_MAX_CONNECTIONS
	Flag    string // the flag without its dashes, database-max-connections; "" for none
	Help    string // what it does, in sentences
	Secret  bool   // a URL, or a list of them, that may carry a password
	Hidden  bool   // is shown to nobody

	PostgresOnly bool // without effect on SQLite; Help says so
	// RequiredModeOnly is without effect while auth.mode is open.
	RequiredModeOnly bool
	// CacheServerOnly is without effect without cache.url.
	CacheServerOnly bool

	check check
}

// Section returns the part of the name before its first dot.
func (k *Key) Section() string {
	section, _, _ := strings.Cut(k.Name, ".")
	return section
}

// Keys returns every setting, in the order of the reference.
func Keys() []Key { return keyTable() }

// Sections returns the sections in the order of the reference, each with a title.
func Sections() []Section {
	return []Section{
		{"server", "HTTP server"},
		{"database", "Database"},
		{"cache", "Cache"},
		{"signals", "Signals"},
		{"ingest", "Taking signals in"},
		{"stream", "Stream of committed signals"},
		{"neurons", "Neurons"},
		{"idempotency", "Repeated requests"},
		{"auth", "Access"},
		{"limits", "Limits on requests"},
		{"audit", "Audit log"},
		{"metrics", "Metrics"},
		{"tracing", "Traces"},
		{"upkeep", "Housekeeping"},
		{"log", "Log"},
	}
}

// Section is a group of keys.
type Section struct {
	Name  string
	Title string
}

// keyTable completes the hand-written rows with what follows from them.
func keyTable() []Key {
	rows := make([]Key, 0, 150)
	rows = append(rows, serverKeys()...)
	rows = append(rows, edgeKeys()...)
	rows = append(rows, databaseKeys()...)
	rows = append(rows, cacheKeys()...)
	rows = append(rows, entityKeys()...)
	rows = append(rows, ingestKeys()...)
	rows = append(rows, streamKeys()...)
	rows = append(rows, otherKeys()...)
	rows = append(rows, accessKeys()...)
	rows = append(rows, accountKeys()...)
	rows = append(rows, tracingKeys()...)
	rows = append(rows, upkeepKeys()...)
	rows = append(rows, logKeys()...)
	var zero Config
	for i := range rows {
		k := &rows[i]
		k.Env = "HAL9_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
		if !strings.HasPrefix(k.Name, entitiesPrefix) { // too many for a command line
			k.Flag = strings.NewReplacer(".", "-", "_", "-").Replace(k.Name)
		}
		k.Type = typeOf(fieldOf(reflect.ValueOf(&zero).Elem(), k.Name))
		if k.Secret && k.Type != TypeList {
			k.Type = TypeURL
		}
		k.Allowed = k.check.allowed
		if k.PostgresOnly {
			k.Help += " PostgreSQL only."
		}
	}
	return rows
}

// typeOf names the kind of value that a field holds.
func typeOf(field reflect.Value) string {
	if !field.IsValid() {
		return ""
	}
	switch field.Interface().(type) {
	case int:
		return TypeInteger
	case float64:
		return TypeFraction
	case time.Duration:
		return TypeDuration
	case ByteSize:
		return TypeSize
	case bool:
		return TypeBoolean
	case List:
		return TypeList
	default:
		return TypeText
	}
}

func serverKeys() []Key {
	return []Key{
		{
			Name: "server.listen", Default: "127.0.0.1:8080", check: listenAddress(),
			Help: "Address and port to serve on. Only a loopback address is accepted while auth.mode is open. Port 0 takes a free one.",
		},
		{
			Name: "server.request_timeout", Default: "10s", check: atLeast(10 * time.Millisecond),
			Help: "The longest that a request may take.",
		},
		{
			Name: "server.read_header_timeout", Default: "5s", check: atLeast(10 * time.Millisecond),
			Help: "The longest that a client may take to send its headers. At most server.read_timeout.",
		},
		{
			Name: "server.read_timeout", Default: "30s", check: atLeast(10 * time.Millisecond),
			Help: "The longest that a client may take to send a whole request.",
		},
		{
			Name: "server.idle_timeout", Default: "2m", check: atLeast(time.Second),
			Help: "How long a connection is kept open between requests.",
		},
		{
			Name: "server.shutdown_timeout", Default: "20s", check: atLeast(time.Second),
			Help: "The longest that a shutdown may take, server.drain_delay included.",
		},
		{
			Name: "server.drain_delay", Default: "1.5s", check: atLeast(0),
			Help: "How long the server goes on serving after SIGTERM, saying by /readyz that it is not ready: longer than a balancer takes to notice, which is the interval of its health check times the failures that it waits for. Ctrl+C does not wait. Less than server.shutdown_timeout.",
		},
		{
			Name: "server.max_body_bytes", Default: "16MiB", check: sizeBetween(KiB, GiB),
			Help: "The largest request body that is read; 64 KiB where no credential is needed, as for a login.",
		},
		{
			// SQLite refuses JSON nested about 1,000 deep.
			Name: "server.max_json_depth", Default: "64", check: between(1, 900),
			Help: "The deepest nesting of JSON in a request.",
		},
		{
			Name: "server.max_page", Default: "1000", check: between(1, 10_000),
			Help: "The most rows in one page of a list.",
		},
	}
}

func databaseKeys() []Key {
	return []Key{
		{
			Name: "database.type", check: oneOfOrNone(dburl.Postgres, dburl.SQLite),
			Help: "The engine. May be left out, since database.url tells it; if given, it must agree.",
		},
		{
			Name: "database.url", Default: "sqlite://hal9.db", Secret: true, check: databaseURL(),
			Help: "The database: postgres://user:password@host/name, or postgresql://…; sqlite:///var/lib/hal9.db (absolute path), sqlite://hal9.db (relative path) or sqlite::memory:.",
		},
		{
			Name: "database.admin_url", Secret: true, check: adminURL(),
			Help: "A PostgreSQL URL past the pooler, for migrations, the commands about partitions and the notices of stream.bus, where database.url goes through one. Default: database.url.",
		},
		{
			Name: "database.max_connections", Default: "20", check: between(1, 10_000),
			Help: "The most connections that this server opens. Two servers of 100 exceed a stock PostgreSQL.",
		},
		{
			Name: "database.min_connections", PostgresOnly: true, Default: "2", check: between(0, 10_000),
			Help: "Connections that are kept open when idle. At most database.max_connections.",
		},
		{
			Name: "database.connection_lifetime", PostgresOnly: true, Default: "1h", check: atLeast(time.Second),
			Help: "The age at which a connection is replaced.",
		},
		{
			Name: "database.connection_lifetime_jitter", PostgresOnly: true, Default: "6m", check: atLeast(0),
			Help: "A random addition to the age, so that connections are not all replaced at once. At most database.connection_lifetime.",
		},
		{
			Name: "database.connection_idle_timeout", PostgresOnly: true, Default: "30m", check: atLeast(time.Second),
			Help: "How long a connection above the minimum may be idle before it is closed.",
		},
		{
			Name: "database.acquire_timeout", Default: "3s", check: atLeast(time.Millisecond),
			Help: "The longest wait for a free connection; after it a request is answered 503.",
		},
		{
			Name: "database.statement_timeout", Default: "10s", check: atLeast(time.Millisecond),
			Help: "The longest that one statement may run.",
		},
		{
			Name: "database.partitions_ahead", PostgresOnly: true, Default: "3", check: between(2, 120),
			Help: "For how many months ahead partitions of signals are made.",
		},
		{
			Name: "database.pooler", PostgresOnly: true, Default: PoolerNone, check: oneOf(PoolerNone, PoolerTransaction),
			Help: "What database.url and database.replica_urls lead to: none is PostgreSQL itself or a pooler in session mode; transaction is PgBouncer, or another pooler, in transaction mode. Migrations then need database.admin_url.",
		},
		{
			Name: "database.replica_urls", PostgresOnly: true, Secret: true, check: replicaURLs(),
			Help: "Streaming replicas of the database that may answer lists, in the form of database.url, one host each. Each gets as many connections as the primary.",
		},
		{
			Name: "database.replica_max_lag", PostgresOnly: true, Default: "5s", check: atLeast(100 * time.Millisecond),
			Help: "A replica that is, or may be, further behind than this answers nothing.",
		},
		{
			Name: "database.replica_timeout", PostgresOnly: true, Default: "1s", check: atLeast(10 * time.Millisecond),
			Help: "How long a read may take on a replica before the primary is asked instead, and no longer than half of the request's time.",
		},
		{
			Name: "database.read_only", Default: wordFalse, check: anyValue(),
			Help: "Hold writes off: a request that writes is answered 503 with Retry-After, logging in among them; reads, open sessions and API keys work on, and this server does no housekeeping. Read again from the configuration file at SIGHUP. To hold off all servers and commands at once: hal9 fence on.",
		},
	}
}

func ingestKeys() []Key {
	return []Key{
		{
			Name: "ingest.committers", Default: "2", check: between(1, 64),
			Help: "How many batches of signals commit at the same time at the most. Signals that come while a commit is under way commit together after it; a second one begins beside it only when 50 wait, or it takes much longer than usual.",
		},
		{
			Name: "ingest.max_batch", Default: "500", check: between(1, 1000),
			Help: "How many signals of different requests commit together at the most.",
		},
		{
			Name: "ingest.queue_length", Default: "4096", check: between(1, 1_000_000),
			Help: "How many signals may wait for their commit. More are answered 503 at once.",
		},
		{
			Name: "ingest.bulk_streams", Default: "4", check: between(1, 1000),
			Help: "How many streams are taken by /api/v1/signals/bulk at a time. Each holds up to 64 MiB of memory, and one connection to the database while it commits. More are answered 503.",
		},
		{
			Name: "ingest.bulk_chunk_rows", Default: "5000", check: between(1, 100_000),
			Help: "How many signals of a stream commit together at the most; long ones, of 4 MiB in all, commit before, and so do 1024 when nothing else is being committed.",
		},
		{
			Name: "ingest.bulk_min_rate", Default: "16KiB", check: sizeBetween(1, GiB),
			Help: "How much a stream must bring a second, while the server waits for it, to keep its place when all are taken and another stream comes that brings its lines at once. It is told from where to go on.",
		},
		{
			Name: "ingest.bulk_idle_timeout", Default: "30s", check: atLeast(10 * time.Millisecond),
			Help: "How long a stream may bring nothing before it is ended. server.request_timeout and server.read_timeout do not hold for streams.",
		},
	}
}

func otherKeys() []Key {
	return []Key{
		{
			Name: "signals.retention", Default: "0s", check: retention("signal"),
			Help: "How long signals are kept, as in 90d: whole months go, each when its last signal is older. 0 keeps them for ever.",
		},
		{
			Name: "neurons.stale_after", Default: "5m", check: atLeast(time.Second),
			Help: "How long a neuron may be silent before it counts as unhealthy.",
		},
		{
			Name: "idempotency.ttl", Default: "24h", check: atLeast(time.Minute),
			Help: "How long an Idempotency-Key is remembered: a request repeated with it within this time has no second effect.",
		},
	}
}

func logKeys() []Key {
	return []Key{
		{
			Name: "log.level", Default: "info", check: oneOf("debug", "info", "warn", "error"),
			Help: "The least severe messages that are logged.",
		},
		{
			Name: "log.format", Default: LogAuto, check: oneOf(LogAuto, LogJSON, LogText),
			Help: "How they are written; auto is text on a terminal, otherwise json.",
		},
		{
			Name: "log.access_sample", Default: "1", check: fraction(),
			Help: "The part of the requests that is logged: 1 all, 0.01 one in a hundred, 0 none.",
		},
	}
}
