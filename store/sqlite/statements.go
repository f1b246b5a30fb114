package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/hal9-ai/hal9/gen/sqlitedb"
)

// statements prepares each query of a connection when it is first run and keeps it
// prepared. To prepare all of them, a hundred for each connection, took most of the time to
// open a database, and memory for many that a connection never runs. Their number is that
// of the generated queries. For one goroutine at a time, as the connection is.
type statements struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

var _ sqlitedb.DBTX = (*statements)(nil)

func newStatements(conn *sql.Conn) *statements {
	return &statements{conn: conn, prepared: map[string]*sql.Stmt{}}
}

// PrepareContext returns the statement of a query, which lives as long as the others.
func (s *statements) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt := s.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.prepared[query] = stmt
	return stmt, nil
}

// ExecContext runs a query.
func (s *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext runs a query that returns rows.
func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext runs a query that returns a row.
func (s *statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return s.conn.QueryRowContext(ctx, query, args...) // fails alike, and only so is there a row that says it
	}
	return stmt.QueryRowContext(ctx, args...)
}

func (s *statements) close() error {
	var err error
	for _, stmt := range s.prepared {
		err = errors.Join(err, stmt.Close())
	}
	return errors.Join(err, s.conn.Close())
}
