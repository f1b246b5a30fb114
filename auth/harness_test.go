package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

const (
	postgresEngine = "postgres"
	sqliteEngine   = "sqlite"
	patience       = time.Minute
	password       = "correct horse battery"
)

func home() auth.Client   { return auth.Client{IP: "192.0.2.7", UserAgent: "a browser"} }
func abroad() auth.Client { return auth.Client{IP: "198.51.100.9", UserAgent: "a script"} }

// cheap are parameters that keep tests fast under the race detector.
func cheap() auth.Argon2 { return auth.Argon2{MemoryKiB: 8, Time: 1, Threads: 1} }

// bench is a service on a fresh database.
type bench struct {
	*auth.Service
	t       *testing.T
	url     string
	store   model.Store
	clock   *testenv.Clock
	log     *testenv.Log
	metrics *metrics.Set
}

// onEngines runs a test on each engine, on a fresh database.
func onEngines(t *testing.T, test func(t *testing.T, b *bench), change ...func(*auth.Config)) {
	t.Helper()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, newBench(t, databaseURL(t, engine), change...))
		})
	}
}

// onSQLite is for what no database has a part in.
func onSQLite(t *testing.T, change ...func(*auth.Config)) *bench {
	t.Helper()
	return newBench(t, databaseURL(t, sqliteEngine), change...)
}

func databaseURL(t *testing.T, engine string) string {
	t.Helper()
	if engine == postgresEngine {
		return migrated.PostgresDatabase(t)
	}
	return migrated.SQLiteDatabase(t)
}

func newBench(t *testing.T, url string, change ...func(*auth.Config)) *bench {
	t.Helper()
	// As it is served, but nothing is forgotten by itself: what is not invalidated shows.
	return newCachedBench(t, url, &store.Cache{}, change...)
}

func newCachedBench(t *testing.T, url string, cache *store.Cache, change ...func(*auth.Config)) *bench {
	t.Helper()
	b := &bench{t: t, url: url, clock: testenv.NewClock(time.Now()), log: &testenv.Log{}, metrics: metrics.NewSet()}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", b.log)
		}
	})
	var err error
	b.store, err = store.Open(t.Context(), store.Config{
		URL: url, MaxConnections: 8, AcquireTimeout: patience, StatementTimeout: patience, Cache: cache,
	})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	cfg := auth.Config{
		Store: b.store, Clock: b.clock.Now, Metrics: b.metrics, Argon2: cheap(), BcryptCost: 4, HashQueueTimeout: patience,
		Logger: slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	if b.Service, err = auth.New(cfg); err != nil {
		t.Fatalf("make the service: %v", err)
	}
	return b
}

// register makes a user of role user with the tests' password.
func (b *bench) register(name string) model.User {
	b.t.Helper()
	return must(b.Register(b.t.Context(), auth.RegisterParams{Username: name, Password: password, Client: home()}))(b.t)
}

// importUser stores a user as an import does.
func (b *bench) importUser(name, hash string) model.User {
	b.t.Helper()
	id := model.NewIDGenerator(b.clock.Now).New()
	n, err := b.store.UserImport(b.t.Context(), model.UserImportParams{
		ID: id, Username: name, PasswordHash: hash, Role: auth.RoleUser, IsActive: true, CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
	})
	if err != nil || n != 1 {
		b.t.Fatalf("import %s: %d rows, %v", name, n, err)
	}
	return must(b.UserGet(b.t.Context(), id))(b.t)
}

func (b *bench) login(name string) auth.Grant {
	b.t.Helper()
	return must(b.Login(b.t.Context(), auth.LoginParams{Username: name, Password: password, Client: home()}))(b.t)
}

func (b *bench) tryLogin(name, pw string, c auth.Client) error {
	b.t.Helper()
	_, err := b.Login(b.t.Context(), auth.LoginParams{Username: name, Password: pw, Client: c})
	return err
}

// user logs in and authenticates.
func (b *bench) user(name string) auth.Principal {
	b.t.Helper()
	return must(b.Authenticate(b.t.Context(), b.login(name).AccessToken))(b.t)
}

// admin makes the first admin and authenticates by the key.
func (b *bench) admin() auth.Principal {
	b.t.Helper()
	key, _, err := b.AdminKeyCreate(b.t.Context(), "tests")
	ok(b.t, err)
	return must(b.Authenticate(b.t.Context(), key))(b.t)
}

func (b *bench) unauthenticated(credential string) {
	b.t.Helper()
	if p, err := b.Authenticate(b.t.Context(), credential); !errors.Is(err, auth.ErrUnauthenticated) || p != (auth.Principal{}) {
		b.t.Fatalf("got %+v and %v, want ErrUnauthenticated", p, err)
	}
}

// audit returns the audit log as "action resource details" lines, the oldest first.
func (b *bench) audit() []string {
	b.t.Helper()
	rows := must(b.AuditList(b.t.Context(), model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 1000}))(b.t)
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[len(rows)-1-i] = r.Action + " " + r.ResourceType + " " + string(r.Details)
	}
	return lines
}

// noted counts the entries of an action.
func (b *bench) noted(action string) int {
	b.t.Helper()
	n := 0
	for _, line := range b.audit() {
		if strings.HasPrefix(line, action+" ") {
			n++
		}
	}
	return n
}

// counter reads one series of the metrics.
func (b *bench) counter(series string) uint64 { return b.metrics.GetOrCreateCounter(series).Get() }

func (b *bench) gauge(series string) float64 { return b.metrics.GetOrCreateGauge(series, nil).Get() }

func (b *bench) hashes() (argon2, bcrypt uint64) {
	return b.counter(`hal9_auth_hashes_total{algorithm="argon2id"}`), b.counter(`hal9_auth_hashes_total{algorithm="bcrypt"}`)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// invalidField demands ErrInvalid that names the field.
func invalidField(t *testing.T, err error, kind error, field string) {
	t.Helper()
	own, isOwn := errors.AsType[*model.Error](err)
	if !isOwn || !errors.Is(err, kind) || own.Field != field {
		t.Fatalf("got %v, want %v that names %s", err, kind, field)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// withoutAudit is a store whose audit log cannot be written: the transaction itself
// is real.
type withoutAudit struct{ model.Store }

func (s withoutAudit) InTx(ctx context.Context, fn func(context.Context, model.Tx) error) error {
	return s.Store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		return fn(ctx, txWithoutAudit{tx})
	})
}

type txWithoutAudit struct{ model.Tx }

func (txWithoutAudit) AuditInsert(context.Context, model.AuditInsertParams) error {
	return errors.New("the audit log is full")
}
