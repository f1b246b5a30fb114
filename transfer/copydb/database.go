package copydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/hal9-ai/hal9/internal/dburl"
)

// query asks for rows of a table in the order of their keys.
type query struct {
	table   *Table
	columns []int
	after   Row  // the key after which to begin; nil from the first
	only    bool // the row with the key after, and none behind it
	limit   int  // rows; 0 for all
	// since and until bound the month column where it is given, in microseconds.
	bounded      bool
	since, until int64
}

func (q query) relation() string {
	if q.only {
		return "="
	}
	return ">"
}

// database is one side of a copy: a single connection, for one caller at a time.
type database interface {
	engine() string
	describe(ctx context.Context) ([]Table, error)
	schemaVersion(ctx context.Context) (int64, error)
	// identity tells a database from others, however its URL is written.
	identity(ctx context.Context) (identity, error)
	// read hands out rows until each returns an error; errStop ends it without one.
	read(ctx context.Context, q query, each func(Row) error) error
	// days counts rows by the UTC day of the month column.
	days(ctx context.Context, t *Table) (map[int64]int64, error)
	// snapshot lets all that is read until endSnapshot be of this one moment.
	snapshot(ctx context.Context) error
	endSnapshot(ctx context.Context) error
	close() error

	// exec runs a statement whose arguments are text or int64, as ? in the text.
	exec(ctx context.Context, statement string, args ...any) error
	// ask returns the rows of a query as text; NULL is "".
	ask(ctx context.Context, statement string, args ...any) ([][]string, error)
	// insert stores rows of all columns, all or none.
	insert(ctx context.Context, t *Table, rows []Row) error
	// upsert stores rows, over those of the same key.
	upsert(ctx context.Context, t *Table, rows []Row) error
	// remove deletes rows by their keys.
	remove(ctx context.Context, t *Table, keys []Row) error
	// clear deletes all rows of the tables.
	clear(ctx context.Context, tables []Table) error
	// atFault says why a row cannot be stored, "" where it is not the row's fault.
	atFault(err error) string

	// seize keeps others from using the database while it is written.
	seize(ctx context.Context) error
	// shield keeps the writes of servers out of the target while it is filled, also after
	// this program was killed; false if it may not. unshield ends that.
	shield(ctx context.Context, tables []string) (bool, error)
	unshield(ctx context.Context, tables []string) error
	// release ends what seize began.
	release(ctx context.Context) error
	// months makes the partitions of these months, counted from year 0.
	months(ctx context.Context, list []int) (made int, err error)
	versionCounter(ctx context.Context) (int64, error)
	raiseVersionCounter(ctx context.Context, least int64) error
	// settle brings the planner's figures up to date and the file into order.
	settle(ctx context.Context) error
	fenceOn(ctx context.Context, tables []string, reason string) error
	fenceOff(ctx context.Context, tables []string) error
	fenced(ctx context.Context) (reason string, err error)
}

// identity is what a database is, as far as it can tell.
type identity struct {
	place   string // the same for two connections to one database
	cluster string // the same for a server and its replicas; empty where that is not told
	replica bool   // it follows another server of its cluster
}

// isOrFollows tells whether what is done to other happens to the database as well.
func (i identity) isOrFollows(other identity) bool {
	return i.place == other.place || i.replica && i.cluster != "" && i.cluster == other.cluster
}

// errStop ends a read early.
var errStop = errors.New("enough was read")

// ErrUnreachable says that a database does not answer.
var ErrUnreachable = errors.New("the database does not answer")

// ErrInUse says that the target is used by somebody else.
var ErrInUse = errors.New("the target is in use")

// open opens a database for copying from or to. It must exist and be migrated.
func open(ctx context.Context, url string) (database, error) {
	switch dburl.Engine(url) {
	case dburl.Postgres:
		return openPostgres(ctx, url)
	case dburl.SQLite:
		return openSQLite(ctx, url)
	default:
		return nil, errors.New("the URL names no known engine: " + dburl.Examples)
	}
}

// inTx runs fn in a transaction of the target.
func inTx(ctx context.Context, db database, fn func() error) error {
	if err := db.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = db.exec(ctx, "COMMIT")
	}
	if err != nil {
		// The connection may be gone, and with it the transaction.
		return errors.Join(err, ignoreGone(db.exec(context.WithoutCancel(ctx), "ROLLBACK")))
	}
	return nil
}

func ignoreGone(error) error { return nil }

// epochOf returns the epoch that cache keys bear.
func epochOf(ctx context.Context, db database) (int64, error) {
	return number(ctx, db, "SELECT epoch FROM database_epoch WHERE id = 1")
}

func number(ctx context.Context, db database, statement string, args ...any) (int64, error) {
	rows, err := db.ask(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("%d rows came where one was expected", len(rows))
	}
	var n int64
	if _, err := fmt.Sscan(rows[0][0], &n); err != nil {
		return 0, fmt.Errorf("read a number: %w", err)
	}
	return n, nil
}
