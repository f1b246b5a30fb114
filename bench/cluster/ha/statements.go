package ha

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Statement is what one statement cost PostgreSQL, by the extension pg_stat_statements.
type Statement struct {
	Text  string
	Calls int64
	Rows  int64
	// Time is of planning and executing; of what a commit takes, only the part within.
	Time time.Duration
	WAL  int64 // bytes
}

// CountsStatements tells whether Statements may be called.
func (c *Cluster) CountsStatements() bool { return c.options.Statements }

func (c *Cluster) countStatements(ctx context.Context) error {
	return c.ask(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
			return fmt.Errorf("have statements counted: %w", err)
		}
		return nil
	})
}

// Statements returns what the database executed since it was last asked, the most
// expensive first, and counts anew. Transaction control is among it.
func (c *Cluster) Statements(ctx context.Context) (list []Statement, err error) {
	err = c.ask(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT query, calls, rows, total_exec_time + total_plan_time, wal_bytes::bigint
			FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
			ORDER BY 4 DESC`)
		if err != nil {
			return fmt.Errorf("read what was counted: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Statement, err error) {
			var ms float64
			err = row.Scan(&s.Text, &s.Calls, &s.Rows, &ms, &s.WAL)
			s.Time = time.Duration(ms * float64(time.Millisecond))
			return s, err //nolint:wrapcheck // by who collects
		})
		if err != nil {
			return fmt.Errorf("read what was counted: %w", err)
		}
		if _, err = conn.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
			return fmt.Errorf("count anew: %w", err)
		}
		return nil
	})
	return list, err
}

// ask lends a connection to the database.
func (c *Cluster) ask(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, c.Database)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	return errors.Join(do(conn), conn.Close(ctx))
}
