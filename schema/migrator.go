package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// Direction says whether a migration is run or undone.
type Direction string

// The directions.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Step is one migration that was run or undone.
type Step struct {
	Version   int64
	File      string
	Direction Direction
	Took      time.Duration
}

// Options are what may differ from one Migrator to the next. All may be zero.
type Options struct {
	// Files replaces the embedded migrations.
	Files fs.FS
	// Applied is called after each step, once it is committed.
	Applied func(Step)
	// Waiting is called once if another migrator holds the lock; holder says
	// what is known of it.
	Waiting func(holder string)
}

// Migrator brings the schema of one database up and down. Its methods may be
// called by several goroutines and processes at once: all of them take turns.
// Each migration commits on its own, so that what ends midway leaves whole
// migrations behind and is finished by running the same method again.
type Migrator struct {
	engine   Engine
	all      []migration
	provider *goose.Provider
	applied  func(Step)
	database database
}

// database is what the engines do differently.
type database interface {
	// hold takes the lock that keeps migrators apart, and opens the database for
	// writing. It waits until the context ends.
	hold(ctx context.Context) (release func() error, err error)
	// read opens the database for reading; nil says that there is none yet.
	read(ctx context.Context) (SQLQuerier, error)
	close() error
}

// Open prepares to migrate the database of a URL: postgres://…, postgresql://…,
// sqlite:///absolute/path or sqlite://relative/path. PostgreSQL is connected to
// at once; an SQLite file is made by the first method that writes.
func Open(ctx context.Context, databaseURL string, options Options) (*Migrator, error) {
	engine, err := EngineOf(databaseURL)
	if err != nil {
		return nil, err
	}
	if engine == Postgres {
		return openPostgres(ctx, databaseURL, options)
	}
	return openSQLite(databaseURL, options)
}

// newMigrator completes a Migrator around the handle that migrations run on.
func newMigrator(engine Engine, handle *sql.DB, o Options, db database, more ...goose.ProviderOption) (*Migrator, error) {
	files := o.Files
	if files == nil {
		var err error
		if files, err = Files(engine); err != nil {
			return nil, err
		}
	}
	all, err := load(files)
	if err != nil {
		return nil, err
	}
	dialect := goose.DialectPostgres
	if engine == SQLite {
		dialect = goose.DialectSQLite3
	}
	provider, err := goose.NewProvider(dialect, handle, files, append(more, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	applied := o.Applied
	if applied == nil {
		applied = func(Step) {}
	}
	return &Migrator{engine: engine, all: all, provider: provider, applied: applied, database: db}, nil
}

// Close lets go of the database.
func (m *Migrator) Close() error { return m.database.close() }

// Engine tells which engine the database is.
func (m *Migrator) Engine() Engine { return m.engine }

// Up runs all pending migrations and returns them. The steps that are returned
// beside an error were committed; this holds for every method that migrates.
func (m *Migrator) Up(ctx context.Context) ([]Step, error) {
	return m.run(ctx, m.planUp(latest(m.all)))
}

// UpTo runs the pending migrations up to a version and with it.
func (m *Migrator) UpTo(ctx context.Context, version int64) ([]Step, error) {
	return m.run(ctx, m.planUp(version))
}

// Down undoes the last migration that was run.
func (m *Migrator) Down(ctx context.Context) ([]Step, error) {
	return m.run(ctx, m.planDownOne)
}

// DownTo undoes the migrations above a version, the newest first; 0 undoes all.
func (m *Migrator) DownTo(ctx context.Context, version int64) ([]Step, error) {
	return m.run(ctx, m.planDownTo(version))
}

// Redo undoes the last migration and runs it again.
func (m *Migrator) Redo(ctx context.Context) ([]Step, error) {
	return m.run(ctx, m.planRedo)
}

// run makes a plan and carries it out, both under the lock.
func (m *Migrator) run(ctx context.Context, plan planner) (done []Step, err error) {
	release, err := m.database.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	applied, err := m.readApplied(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := plan(applied)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		step, err := m.step(ctx, s)
		if errors.Is(err, goose.ErrAlreadyApplied) {
			continue // by a migrator that knows nothing of our lock
		}
		if err != nil {
			return done, err
		}
		done = append(done, step)
		m.applied(step)
	}
	return done, nil
}

func (m *Migrator) step(ctx context.Context, s planned) (Step, error) {
	result, err := m.provider.ApplyVersion(ctx, s.version, s.direction == Up)
	if err == nil {
		return Step{s.version, s.file, s.direction, result.Duration}, nil
	}
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		err = partial.Err
	}
	if ctx.Err() != nil {
		// What the driver says of a connection that was cut off adds nothing.
		err = context.Cause(ctx)
	}
	left := "it was rolled back"
	if !s.useTx {
		left = "it runs outside a transaction and may be half done"
	}
	return Step{}, fmt.Errorf("migrate %s by %s: %w (%s)%s", s.direction, s.file, err, left, mendOf(err))
}

func (m *Migrator) readApplied(ctx context.Context) ([]Applied, error) {
	db, err := m.database.read(ctx)
	if err != nil || db == nil {
		return nil, err
	}
	return appliedByHandle(ctx, db, m.engine)
}
