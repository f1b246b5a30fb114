package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// PartitionsDetachCmd takes a month out of the signals.
type PartitionsDetachCmd struct {
	Month string `arg:"" name:"MONTH" help:"The month to take out, as in 2026-01. It must be over."`
	Output
	Change
	Settings
}

// Help describes the command.
func (PartitionsDetachCmd) Help() string {
	return `The month's signals are found no longer, by nobody, and none is lost: they stay in a table of their own, signals_detached_y2026m01, to be written into an archive by pg_dump and dropped, or to be brought back by 'hal9 partitions attach'. 'hal9 partitions list' shows it. Retention, 'hal9 partitions drop', 'hal9 export' and 'hal9 copy' do not touch it.

Reads and writes of signals pause for a moment; if the lock is not free within 1.5 s it is tried again, and after six times the command fails. DETACH … CONCURRENTLY, which pauses nobody, is refused by PostgreSQL where there is a default partition.

It needs a role that owns the tables, in database.admin_url or database.url. SQLite has no partitions: it is refused.

Example:

    hal9 partitions detach 2026-01
    pg_dump --table signals_detached_y2026m01 "$DATABASE" | zstd > 2026-01.sql.zst
    psql "$DATABASE" -c 'DROP TABLE signals_detached_y2026m01'`
}

// Run detaches the month.
func (c *PartitionsDetachCmd) Run(g *Globals) error {
	const command = "hal9 partitions detach"
	return c.month(g, c.Output, c.Settings, c.Month, command, postgres.PartitionDetachSQL, func(ctx context.Context, st model.Store, month time.Time) error {
		p, err := st.SignalPartitionDetach(ctx, month)
		if err != nil {
			return partitionError(err, command)
		}
		out := partitionsJSON([]model.SignalPartition{p})[0]
		out.Detached = true
		return c.print(g.Stdout, out, func(w io.Writer) error {
			return say(w, fmt.Sprintf("detached %s: its signals are in the table %s\n", c.Month, p.Name))
		})
	})
}

// PartitionsAttachCmd brings a month back.
type PartitionsAttachCmd struct {
	Month string `arg:"" name:"MONTH" help:"The month to bring back, as in 2026-01."`
	Output
	Change
	Settings
}

// Help describes the command.
func (PartitionsAttachCmd) Help() string {
	return `Brings back a month that 'hal9 partitions detach' took out, from the table signals_detached_y2026m01; restored from an archive, it has to bear this name. Signals of the month that were stored meanwhile move into it. One that both have is the detached one.

The table is read through first, while inserts go on. Then they pause, for as long as it takes to move what was stored meanwhile. It needs a role that owns the tables.

Example:

    zstd -dc 2026-01.sql.zst | psql "$DATABASE"
    hal9 partitions attach 2026-01`
}

// attachedJSON is a month that was brought back.
type attachedJSON struct {
	partitionJSON

	Moved int64 `json:"moved"`
}

// Run attaches the month.
func (c *PartitionsAttachCmd) Run(g *Globals) error {
	const command = "hal9 partitions attach"
	return c.month(g, c.Output, c.Settings, c.Month, command, postgres.PartitionAttachSQL, func(ctx context.Context, st model.Store, month time.Time) error {
		a, err := st.SignalPartitionAttach(ctx, month)
		if err != nil {
			return partitionError(err, command)
		}
		out := attachedJSON{partitionsJSON([]model.SignalPartition{a.SignalPartition})[0], a.Moved}
		return c.print(g.Stdout, out, func(w io.Writer) error {
			text := fmt.Sprintf("attached %s as %s\n", c.Month, a.Name)
			if a.Moved > 0 {
				text += fmt.Sprintf("moved %d signals into it that were stored meanwhile\n", a.Moved)
			}
			return say(w, text)
		})
	})
}

// month runs what works on one month, or prints the SQL of it.
func (c *Change) month(g *Globals, o Output, s Settings, text, command string, script func(time.Time) string,
	fn func(context.Context, model.Store, time.Time) error,
) error {
	if err := c.refuseBoth(o, command); err != nil {
		return err
	}
	month, err := parseMonth("MONTH", text, command)
	if err != nil {
		return err
	}
	return c.partitions(g, s, command, func(ctx context.Context, _ *config.Config, st model.Store) error {
		if c.DryRun && st.Engine() == dburl.Postgres {
			return say(g.Stdout, script(month))
		}
		return fn(ctx, st, month)
	})
}

// partitionError puts what a person can mend into words for him.
func partitionError(err error, command string) error {
	m, ok := errors.AsType[*model.Error](err)
	switch {
	case postgres.Denied(err):
		return &ExitError{
			Code: exitFailure, Err: errors.New("the role of the database does not own the tables, and may not do this"),
			Hint: "Give the URL of one that does in database.admin_url.",
		}
	case ok && m.Reason != "" && (errors.Is(err, model.ErrInvalid) || errors.Is(err, model.ErrConflict) || errors.Is(err, model.ErrNotFound)):
		return usageError(errors.New(m.Reason), command)
	default:
		return err
	}
}
