package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/store/postgres"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// PartitionsCmd groups the commands about the months of the signals.
type PartitionsCmd struct {
	Ensure PartitionsEnsureCmd `cmd:"" help:"Make the partitions of coming months."`
	List   PartitionsListCmd   `cmd:"" help:"Show the months of the signals."`
	Detach PartitionsDetachCmd `cmd:"" help:"Take a month out of the signals, and keep its table."`
	Attach PartitionsAttachCmd `cmd:"" help:"Bring a detached month back."`
	Drop   PartitionsDropCmd   `cmd:"" help:"Drop old months, and lose their signals."`
}

// monthLayout is how a month is written.
const monthLayout = "2006-01"

// noTimeout stands for the bound on a statement that --timeout 0 lifts.
const noTimeout = 24 * time.Hour

// PartitionsEnsureCmd makes partitions.
type PartitionsEnsureCmd struct {
	Ahead *int     `help:"Make this month and N more. Default: database.partitions_ahead." placeholder:"N" xor:"months"`
	Month []string `help:"Make this month; may be given several times." placeholder:"YYYY-MM" sep:"none" xor:"months"`
	Output
	Change
	Settings
}

// Help describes the command.
func (PartitionsEnsureCmd) Help() string {
	return `Signals of the month that lie in the default partition move home. A month that is there already stays as it is. Inserts pause for a moment; if a lock is not free within 1.5 s it is tried again, and after six times the command fails.

A running server does this by itself. SQLite has no partitions: there is nothing to do.

Example:

    hal9 partitions ensure --ahead 6
    hal9 partitions ensure --month 2026-01 --month 2026-02 --dry-run`
}

// Run makes partitions.
func (c *PartitionsEnsureCmd) Run(g *Globals) error {
	if err := c.refuseBoth(c.Output, "hal9 partitions ensure"); err != nil {
		return err
	}
	return c.partitions(g, c.Settings, "hal9 partitions ensure", func(ctx context.Context, cfg *config.Config, st model.Store) error {
		months, err := c.months(cfg)
		if err != nil {
			return err
		}
		if st.Engine() == dburl.SQLite {
			return c.line(g.Stdout, []ensuredJSON{}, "-- SQLite has no partitions: nothing to do")
		}
		ensured := make([]ensuredJSON, 0, len(months))
		for _, month := range months {
			if c.DryRun {
				if err := say(g.Stdout, postgres.PartitionEnsureSQL(month)); err != nil {
					return err
				}
				continue
			}
			made, err := st.SignalPartitionEnsure(ctx, month)
			if err != nil {
				return fmt.Errorf("make the partition of %s: %w", month.Format(monthLayout), err)
			}
			ensured = append(ensured, ensuredJSON{month.Format(monthLayout), made})
			if c.JSON {
				continue
			}
			text := "%s was there already\n"
			if made {
				text = "made %s\n"
			}
			if err := say(g.Stdout, fmt.Sprintf(text, month.Format(monthLayout))); err != nil {
				return err
			}
		}
		if c.JSON && !c.DryRun {
			return writeJSON(g.Stdout, ensured)
		}
		return nil
	})
}

// ensuredJSON is a month that has its partition now.
type ensuredJSON struct {
	Month string `json:"month"`
	Made  bool   `json:"made"`
}

// months returns the months to make.
func (c *PartitionsEnsureCmd) months(cfg *config.Config) ([]time.Time, error) {
	var months []time.Time
	for _, text := range c.Month {
		month, err := parseMonth("--month", text, "hal9 partitions ensure")
		if err != nil {
			return nil, err
		}
		months = append(months, month)
	}
	if len(months) > 0 {
		return months, nil
	}
	ahead := cfg.Database.PartitionsAhead
	if c.Ahead != nil {
		ahead = *c.Ahead
	}
	const most = 120
	if ahead < 0 || ahead > most {
		return nil, usageError(fmt.Errorf("--ahead is %d; it must lie between 0 and %d", ahead, most), "hal9 partitions ensure")
	}
	now := time.Now().UTC()
	for n := range ahead + 1 {
		months = append(months, time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC))
	}
	return months, nil
}

func parseMonth(flag, text, command string) (time.Time, error) {
	month, err := time.Parse(monthLayout, text)
	if err != nil {
		return month, usageError(fmt.Errorf("%s is %q; write a month as in 2026-01", flag, text), command)
	}
	return month, nil
}

// PartitionsDropCmd drops partitions.
type PartitionsDropCmd struct {
	Before string `help:"Drop the months before this one." placeholder:"YYYY-MM" required:""`
	Yes    bool   `help:"Do not ask."`
	Output
	Change
	Settings
}

// Help describes the command.
func (PartitionsDropCmd) Help() string {
	return `The signals of the months before the given one are lost, those in the default partition among them. It asks first; without a terminal it needs --yes. On SQLite they are deleted in chunks.

Example:

    hal9 partitions drop --before 2025-07 --dry-run
    hal9 partitions drop --before 2025-07 --yes`
}

// Run drops partitions.
func (c *PartitionsDropCmd) Run(g *Globals) error {
	const command = "hal9 partitions drop"
	if err := c.refuseBoth(c.Output, command); err != nil {
		return err
	}
	before, err := parseMonth("--before", c.Before, command)
	if err != nil {
		return err
	}
	return c.partitions(g, c.Settings, command, func(ctx context.Context, _ *config.Config, st model.Store) error {
		if c.DryRun {
			all, err := st.SignalPartitionList(ctx)
			if err != nil {
				return fmt.Errorf("list the partitions: %w", err)
			}
			script := postgres.PartitionDropSQL
			if st.Engine() == dburl.SQLite {
				script = sqlite.PartitionDropSQL
			}
			return printScript(g.Stdout)(script(all, before), nil)
		}
		if err := g.confirm(ctx, c.Yes, "This drops all signals before "+c.Before+".", command); err != nil {
			return err
		}
		gone, err := st.SignalPartitionDrop(ctx, before)
		if c.JSON && err == nil {
			return writeJSON(g.Stdout, partitionsJSON(gone))
		}
		for _, p := range gone {
			text := fmt.Sprintf("dropped %s\n", p.Name)
			if p.IsDefault || st.Engine() == dburl.SQLite {
				text = fmt.Sprintf("deleted %d rows of %s\n", p.Rows, p.Name)
			}
			err = errors.Join(err, say(g.Stdout, text))
		}
		if err == nil && len(gone) == 0 {
			return say(g.Stdout, "Nothing to do.\n")
		}
		return err
	})
}

// partitions opens the database and hands it to fn.
func (c *Change) partitions(g *Globals, s Settings, command string, fn func(context.Context, *config.Config, model.Store) error) (err error) {
	cfg, err := g.LoadConfig(s)
	if err != nil {
		return err
	}
	ctx, cancel, err := c.context(g, command)
	if err != nil {
		return err
	}
	defer cancel()
	st, err := openForUpkeep(ctx, cfg, c.Timeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(st)) }()
	err = fn(ctx, cfg, st)
	if timeout, ok := errors.AsType[*timeoutError](context.Cause(ctx)); ok && err != nil {
		return fmt.Errorf("%w: %w", timeout, err)
	}
	return err
}

// openForUpkeep opens the store past a pooler and without the short timeouts that
// serve requests. It neither makes nor migrates a database.
func openForUpkeep(ctx context.Context, cfg *config.Config, timeout time.Duration) (model.Store, error) {
	if err := checkSchema(ctx, cfg); err != nil {
		return nil, err
	}
	if timeout == 0 {
		timeout = noTimeout
	}
	st, err := store.Open(ctx, store.Config{
		URL: adminURL(cfg), MaxConnections: 2, AcquireTimeout: cfg.Database.AcquireTimeout, StatementTimeout: timeout,
		Cache: storeCache(cfg, slog.New(slog.DiscardHandler)),
	})
	if errors.Is(err, model.ErrUnavailable) || errors.Is(err, model.ErrTimeout) {
		return nil, &ExitError{Code: exitUnreachable, Err: err}
	}
	return st, err
}

// checkSchema looks at the schema without making an SQLite file.
func checkSchema(ctx context.Context, cfg *config.Config) (err error) {
	m, err := schema.Open(ctx, adminURL(cfg), schema.Options{})
	if err != nil {
		return migrateError(err, cfg)
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	err = m.Check(ctx)
	if errors.Is(err, schema.ErrNotMigrated) || errors.Is(err, schema.ErrBehind) {
		return &ExitError{Code: exitPending, Err: err}
	}
	if errors.Is(err, schema.ErrAhead) {
		return nil
	}
	return migrateError(err, cfg)
}

func say(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
