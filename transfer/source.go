package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"modernc.org/sqlite"
)

// Source is a file that can be imported: whole, recognised and readable.
type Source struct {
	path string // as the caller named it
	file *file
	db   *sql.DB
	// conn is in one read transaction from Open to Close, so that all tables are
	// read as of one moment.
	conn   *sql.Conn
	schema *schema
	found  match
	counts map[string]int64
	left   []LeftTable // that stay behind
}

// Open checks a file through and returns it, or a *SourceError that says what it
// is and what to do. It reads every page of the tables that will be imported, but
// never a full-text index, which the original left corrupt at times.
func Open(ctx context.Context, path string) (*Source, error) {
	s := &Source{path: path}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Source) open(ctx context.Context) error {
	var err error
	if s.file, err = openFile(ctx, s.path); err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if s.schema, err = readSchema(ctx, s); err != nil {
		return err
	}
	if s.found, err = recognise(s.path, s.schema); err != nil {
		return err
	}
	s.counts = map[string]int64{}
	for _, st := range s.found.steps {
		if err := s.check(ctx, st.table()); err != nil {
			return err
		}
		if s.counts[st.table()], err = s.count(ctx, st.table()); err != nil {
			return err
		}
	}
	for _, table := range s.found.ignored {
		left := LeftTable{Table: s.schema.tables[table].name}
		// Damage in a table that nobody imports is no reason to refuse the file.
		if n, err := s.count(ctx, table); err == nil {
			left.Rows = &n
		} else if ctx.Err() != nil {
			return err
		}
		s.left = append(s.left, left)
	}
	return s.file.unchanged()
}

// connect opens the one connection and begins its transaction.
func (s *Source) connect(ctx context.Context) error {
	u := url.URL{Path: s.file.read}
	// The file may come from anywhere: its schema may call nothing but what SQLite
	// itself deems harmless, and cells are checked before they are used.
	dsn := "file:" + u.EscapedPath() + "?" + s.file.mode +
		"&_pragma=busy_timeout(2000)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)&_pragma=mmap_size(0)&_pragma=query_only(1)"
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return fmt.Errorf("prepare to open %q: %w", s.path, err)
	}
	s.db = sql.OpenDB(connector)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return s.readError("open", err)
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return s.readError("begin to read", err)
	}
	return nil
}

// Variant is the letter of the variant that the file is of, such as "C".
func (s *Source) Variant() string { return s.found.name }

// Rows is how many rows the tables to be imported hold.
func (s *Source) Rows() int64 {
	var n int64
	for _, c := range s.counts {
		n += c
	}
	return n
}

// SameFile tells whether path is the file that this source reads: it cannot be
// imported into itself.
func (s *Source) SameFile(path string) bool {
	other, err := os.Stat(path)
	return err == nil && os.SameFile(other, s.file.info)
}

// Close lets go of the file and removes the private copy, if one was made.
func (s *Source) Close() error {
	var errs []error
	if s.conn != nil {
		// The transaction only read; closing the connection ends it.
		errs = append(errs, s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.file != nil {
		errs = append(errs, s.file.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %q: %w", s.path, err)
	}
	return nil
}
