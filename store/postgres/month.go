package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/gen/pgdb"
)

// monthsBack and monthsAhead bound for which months there are statements of their own: each
// connection keeps them, here and in the engine, where one takes some 35 KB.
const (
	monthsBack  = 119
	monthsAhead = 1
)

// inMonth runs a query whose text ends with the conditions on a signal, and adds one that
// says nothing new: the month, as a constant. One plan for all values names each
// partition, and the engine locks all of them before it leaves out all but one. The
// constant has it planned for one partition alone.
type inMonth struct {
	pgdb.DBTX

	condition string
}

// QueryRow implements pgdb.DBTX.
func (m inMonth) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return m.DBTX.QueryRow(ctx, sql+m.condition, args...)
}

// monthCondition says, in SQL, that a signal's time lies in the same month in UTC as at,
// which is true of at itself; nothing for months far from now.
func monthCondition(now, at time.Time) string {
	if ahead := monthsApart(now, at); ahead < -monthsBack || ahead > monthsAhead {
		return ""
	}
	begin := monthOf(at)
	const constant = "'2006-01-02 00:00:00+00'"
	return "AND timestamp >= " + begin.Format(constant) + " AND timestamp < " + begin.AddDate(0, 1, 0).Format(constant)
}
