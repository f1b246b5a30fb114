package schema

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"

	goosedb "github.com/pressly/goose/v3/database"
)

// UpScript returns the SQL that Up would run, without running it. The script can be
// run by hand in its place.
func (m *Migrator) UpScript(ctx context.Context) (string, error) {
	return m.script(ctx, m.planUp(latest(m.all)))
}

// UpToScript returns the SQL that UpTo would run.
func (m *Migrator) UpToScript(ctx context.Context, version int64) (string, error) {
	return m.script(ctx, m.planUp(version))
}

// DownScript returns the SQL that Down would run.
func (m *Migrator) DownScript(ctx context.Context) (string, error) {
	return m.script(ctx, m.planDownOne)
}

// DownToScript returns the SQL that DownTo would run.
func (m *Migrator) DownToScript(ctx context.Context, version int64) (string, error) {
	return m.script(ctx, m.planDownTo(version))
}

// RedoScript returns the SQL that Redo would run.
func (m *Migrator) RedoScript(ctx context.Context) (string, error) {
	return m.script(ctx, m.planRedo)
}

func (m *Migrator) script(ctx context.Context, plan planner) (string, error) {
	db, err := m.database.read(ctx)
	if err != nil {
		return "", err
	}
	var applied []Applied
	tables := false
	if db != nil {
		if applied, err = appliedByHandle(ctx, db, m.engine); err != nil {
			return "", err
		}
		if tables, err = hasVersionTable(ctx, db, m.engine); err != nil {
			return "", err
		}
	}
	steps, err := plan(applied)
	if err != nil || len(steps) == 0 {
		return "", err
	}
	w, err := newScriptWriter(m.engine)
	if err != nil {
		return "", err
	}
	if !tables {
		w.block(true, "goose's table of versions", func() error { return w.makeVersionTable(ctx) })
	}
	for _, s := range steps {
		w.block(s.useTx, fmt.Sprintf("%s, %s", s.file, s.direction), func() error { return w.step(ctx, s) })
	}
	return w.text.String(), w.err
}

// scriptWriter writes statements down instead of running them. It poses as a
// connection, so that goose's own bookkeeping can be asked for its statements.
type scriptWriter struct {
	store goosedb.Store
	text  strings.Builder
	err   error
}

func newScriptWriter(engine Engine) (*scriptWriter, error) {
	dialect := goosedb.DialectPostgres
	if engine == SQLite {
		dialect = goosedb.DialectSQLite3
	}
	store, err := goosedb.NewStore(dialect, versionTable)
	if err != nil {
		return nil, fmt.Errorf("prepare the dry run: %w", err)
	}
	return &scriptWriter{store: store}, nil
}

func (w *scriptWriter) block(useTx bool, title string, body func() error) {
	if w.text.Len() > 0 {
		w.text.WriteByte('\n')
	}
	w.text.WriteString("-- " + title + "\n")
	if useTx {
		w.text.WriteString("BEGIN;\n")
	}
	if err := body(); err != nil && w.err == nil {
		w.err = fmt.Errorf("write the dry run of %s: %w", title, err)
	}
	if useTx {
		w.text.WriteString("COMMIT;\n")
	}
}

func (w *scriptWriter) makeVersionTable(ctx context.Context) error {
	if err := w.store.CreateVersionTable(ctx, w); err != nil {
		return err //nolint:wrapcheck // block wraps it
	}
	return w.store.Insert(ctx, w, goosedb.InsertRequest{Version: 0}) //nolint:wrapcheck // block wraps it
}

func (w *scriptWriter) step(ctx context.Context, s planned) error {
	if s.direction == Down {
		w.statement(s.down)
		return w.store.Delete(ctx, w, s.version) //nolint:wrapcheck // block wraps it
	}
	w.statement(s.up)
	return w.store.Insert(ctx, w, goosedb.InsertRequest{Version: s.version}) //nolint:wrapcheck // block wraps it
}

func (w *scriptWriter) statement(text string) {
	if text = strings.TrimSpace(text); text != "" {
		w.text.WriteString(text + "\n")
	}
}

// ExecContext writes a statement with its arguments, which are numbers and
// booleans alone, in the place of their marks.
func (w *scriptWriter) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	n := 0
	query = regexp.MustCompile(`\$\d+|\?`).ReplaceAllStringFunc(query, func(string) string {
		n++
		return fmt.Sprint(args[n-1])
	})
	w.statement(strings.ReplaceAll(query, "\n\t", "\n") + ";")
	return nil, nil //nolint:nilnil // goose asks for no result
}

// QueryContext fails: a dry run has nothing to ask.
func (*scriptWriter) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, fmt.Errorf("query in a dry run: %w", sql.ErrNoRows)
}

// QueryRowContext is never called by what a dry run asks of goose.
func (*scriptWriter) QueryRowContext(context.Context, string, ...any) *sql.Row { return &sql.Row{} }
