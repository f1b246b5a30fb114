package copydb

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Options are what may differ from one copy to the next. From and To are required.
type Options struct {
	// From and To are database URLs. Both databases exist and are migrated.
	From, To string
	// FromName and ToName are the URLs as they may be shown, without passwords. The
	// first one also tells a copy that is resumed from one of another source.
	FromName, ToName string
	// Follow copies a source that is written to, catches up with it, and holds its
	// writers off for the last step and ever after. Without it the copy is of the
	// moment at which it begins.
	Follow bool
	// Clean deletes what the target holds.
	Clean bool
	// SkipComparison leaves out the comparison row by row; CompareOnly does nothing
	// else.
	SkipComparison, CompareOnly bool
	// Progress is called now and then, from one goroutine at a time.
	Progress func(Progress)
	// Tell is called with what happens, in sentences for who watches.
	Tell func(string)

	// Refused is called with each row that the target refused, in the order of tables and
	// keys, before the copy is complete; its error ends the copy, which can go on later.
	Refused func(Refused) error

	// For tests.
	afterChunk func() error
	chunkRows  int
	listed     int // rows in Report.Refused
	keptKeys   int // of refused rows, while it catches up
}

// What Copy refuses. Test with errors.Is.
var (
	// ErrNotEmpty says that the target holds rows.
	ErrNotEmpty = errors.New("the target is not empty")
	// ErrOther says that the target holds an unfinished copy of another source.
	ErrOther = errors.New("the target holds an unfinished copy of another source")
	// ErrSame says that source and target are one database, or that the source is a replica
	// of the target: to empty one empties the other.
	ErrSame = errors.New("the source and the target are the same database")
	// ErrFenced says that the target's own writers are held off.
	ErrFenced = errors.New("the target's writers are held off")
)

// copier is one run.
type copier struct {
	options Options
	source  database
	target  database
	tables  []Table
	notes   notes
	report  *Report

	phase  string
	done   int64
	total  int64
	shown  time.Time
	copied int64 // rows of the first pass in this run
}

// Copy copies one database into another. The target must be empty, or hold an
// unfinished copy of the same source, which goes on. The report is never nil; rows that
// were refused or differ are told by it, not by the error.
func Copy(ctx context.Context, o Options) (report *Report, err error) {
	began := time.Now()
	if o.chunkRows == 0 {
		o.chunkRows = chunkRows
	}
	if o.keptKeys == 0 {
		o.keptKeys = keptKeys
	}
	if o.listed == 0 {
		o.listed = mostRefused
	}
	report = &Report{From: o.FromName, To: o.ToName, Tables: []TableReport{}, Refused: []Refused{}, Differences: []Difference{}}
	c := &copier{options: o, report: report}
	defer func() { report.Seconds = time.Since(began).Seconds() }()
	if c.source, err = open(ctx, o.From); err != nil {
		return report, fmt.Errorf("the source: %w", err)
	}
	defer func() { err = errors.Join(err, c.source.close()) }()
	if c.target, err = open(ctx, o.To); err != nil {
		return report, fmt.Errorf("the target: %w", err)
	}
	defer func() { err = errors.Join(err, c.target.close()) }()
	c.notes = notes{c.target}
	if err := c.refuseSame(ctx); err != nil {
		return report, err
	}
	if err := c.align(ctx); err != nil {
		return report, err
	}
	if !o.CompareOnly {
		if err := c.transfer(ctx); err != nil {
			return report, err
		}
	} else if err := c.source.snapshot(ctx); err != nil {
		return report, fmt.Errorf("the source: %w", err)
	}
	if o.SkipComparison {
		return report, nil
	}
	if o.CompareOnly {
		if err := c.target.snapshot(ctx); err != nil {
			return report, fmt.Errorf("the target: %w", err)
		}
	}
	return report, c.compare(ctx)
}

// refuseSame asks the databases themselves: one has several addresses, users and poolers in
// front of it.
func (c *copier) refuseSame(ctx context.Context) error {
	source, err := c.source.identity(ctx)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	target, err := c.target.identity(ctx)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if source.isOrFollows(target) {
		return ErrSame
	}
	return nil
}

func (c *copier) align(ctx context.Context) error {
	var versions [2]int64
	var tables [2][]Table
	for i, db := range []database{c.source, c.target} {
		var err error
		if versions[i], err = db.schemaVersion(ctx); err != nil {
			return err
		}
		if tables[i], err = db.describe(ctx); err != nil {
			return err
		}
	}
	if versions[0] != versions[1] {
		return fmt.Errorf("the source's schema has version %d and the target's %d: migrate both with the same program", versions[0], versions[1])
	}
	var err error
	c.tables, err = align(tables[0], tables[1])
	return err
}

// transfer makes the target what the source is.
func (c *copier) transfer(ctx context.Context) error {
	if err := c.target.seize(ctx); err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	// Each pass sees one moment, or children would come whose parents were not there yet.
	if err := c.source.snapshot(ctx); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if err := c.first(ctx); err != nil {
		return err
	}
	if c.options.Follow {
		if err := c.source.endSnapshot(ctx); err != nil {
			return fmt.Errorf("the source: %w", err)
		}
		return c.follow(ctx)
	}
	if c.report.Resumed {
		// What was copied before may have changed since.
		if err := c.pass(ctx, true); err != nil {
			return err
		}
	}
	return c.finish(ctx)
}

// begin prepares the target, or finds where an unfinished copy ended.
func (c *copier) begin(ctx context.Context) error {
	reason, err := c.target.fenced(ctx)
	if err != nil {
		return err
	}
	if reason != "" && reason != copyingReason {
		return fmt.Errorf("%w: %s", ErrFenced, reason)
	}
	unfinished, err := c.notes.exist(ctx)
	if err != nil {
		return err
	}
	if unfinished && !c.options.Clean {
		source, err := c.notes.source(ctx)
		if err != nil {
			return err
		}
		if source != c.options.FromName {
			return fmt.Errorf("%w: %s", ErrOther, source)
		}
		c.report.Resumed = true
		c.tell("going on with the copy that is in the target")
		return c.shield(ctx)
	}
	if !c.options.Clean {
		if err := c.refuseRows(ctx); err != nil {
			return err
		}
	}
	err = inTx(ctx, c.target, func() error {
		// The neurons that every new database has come from the source, or are not there.
		if err := c.target.clear(ctx, c.tables); err != nil {
			return err
		}
		return c.notes.begin(ctx, c.options.FromName)
	})
	if err != nil {
		return err
	}
	return c.shield(ctx)
}

func (c *copier) shield(ctx context.Context) error {
	held, err := c.target.shield(ctx, fencedTables(c.tables))
	if err != nil {
		return fmt.Errorf("hold off the target's writers: %w", err)
	}
	if !held {
		c.tell("this role does not own the target's tables: start no server there before the copy is complete")
	}
	return nil
}

// refuseRows finds a target that holds more than a new database does: the default
// neurons, of which nothing was heard.
func (c *copier) refuseRows(ctx context.Context) error {
	for i := range c.tables {
		t := &c.tables[i]
		statement := "SELECT count(*) FROM (SELECT 1 FROM " + quote(t.Name) + " LIMIT 1) AS found"
		switch t.Name {
		case "neurons":
			statement = "SELECT count(*) FROM neurons WHERE id NOT IN ('neuron-l1', 'neuron-l2', 'neuron-l3', 'neuron-l4') OR updated_at <> created_at"
		case "neuron_activity":
			statement = "SELECT count(*) FROM neuron_activity WHERE signals_processed > 0 OR last_signal_at IS NOT NULL"
		}
		n, err := number(ctx, c.target, statement)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: it has rows in %s", ErrNotEmpty, t.Name)
		}
	}
	return nil
}

// first copies all tables, or what is left of them.
func (c *copier) first(ctx context.Context) error {
	if err := c.count(ctx); err != nil {
		return err
	}
	began := time.Now()
	c.phase = "copying"
	for i := range c.tables {
		t := &c.tables[i]
		if t.month >= 0 {
			days, err := c.source.days(ctx, t)
			if err != nil {
				return err
			}
			made, err := ensureMonths(ctx, c.target, days)
			c.report.PartitionsMade += made
			if err != nil {
				return err
			}
		}
		if err := c.bulk(ctx, t, fromDatabase(c.source)); err != nil {
			return err
		}
	}
	c.report.CopySeconds = time.Since(began).Seconds()
	c.report.RowsPerSecond = float64(c.copied) / max(c.report.CopySeconds, 1e-6)
	return c.target.settle(ctx)
}

// count finds how many rows there are to copy, for the progress.
func (c *copier) count(ctx context.Context) error {
	c.done, c.total = 0, 0
	for i := range c.tables {
		n, err := number(ctx, c.source, "SELECT count(*) FROM "+quote(c.tables[i].Name))
		if err != nil {
			return err
		}
		c.total += n
	}
	return nil
}

// pass catches up once with all tables.
func (c *copier) pass(ctx context.Context, final bool) error {
	c.phase, c.done = "catching up", 0
	c.report.Passes++
	for i := range c.tables {
		c.step(&c.tables[i], 0)
		if err := c.sync(ctx, &c.tables[i], final); err != nil {
			return err
		}
	}
	return nil
}

// follow catches up until a pass is short, then holds the writers off for the last one.
func (c *copier) follow(ctx context.Context) error {
	const short, most = time.Second, 10
	last := time.Duration(1<<63 - 1)
	for n := 1; ; n++ {
		began, before := time.Now(), c.changes()
		if err := c.source.snapshot(ctx); err != nil {
			return fmt.Errorf("the source: %w", err)
		}
		if err := c.pass(ctx, false); err != nil {
			return err
		}
		if err := c.source.endSnapshot(ctx); err != nil {
			return fmt.Errorf("the source: %w", err)
		}
		took := time.Since(began)
		c.tell(fmt.Sprintf("pass %d caught up with %d rows in %.2f s", n, c.changes()-before, took.Seconds()))
		// Another pass that takes as long as this one would shorten nothing.
		if took < short || n == most || took > last/10*7 {
			break
		}
		last = took
	}
	began := time.Now()
	fenced, err := c.source.fenced(ctx)
	if err != nil {
		return fmt.Errorf("see whether the source's writers are held off: %w", err)
	}
	if err := c.source.fenceOn(ctx, fencedTables(c.tables), "the database was moved to "+c.options.ToName); err != nil {
		return fmt.Errorf("hold off the source's writers: %w", err)
	}
	c.tell("the source takes no writes any more")
	if err = c.pass(ctx, true); err == nil {
		err = c.finish(ctx)
	}
	if err != nil {
		return errors.Join(err, c.unfence(context.WithoutCancel(ctx), fenced))
	}
	c.report.SwitchSeconds = time.Since(began).Seconds()
	c.tell(fmt.Sprintf("the target is complete: point the servers at it (the switch took %.2f s)", c.report.SwitchSeconds))
	return nil
}

// unfence leaves the source as it was before a move that failed: nobody is to be kept
// waiting for it, unless by a fence that stood there already.
func (c *copier) unfence(ctx context.Context, before string) error {
	if before != "" {
		return c.source.fenceOn(ctx, fencedTables(c.tables), before)
	}
	return c.source.fenceOff(ctx, fencedTables(c.tables))
}

func (c *copier) changes() (n int64) {
	for i := range c.report.Tables {
		n += c.report.Tables[i].Changed
	}
	return n
}

func (c *copier) changed(t *Table, rows int64) { c.report.table(t).Changed += rows }

func (c *copier) compare(ctx context.Context) error {
	began := time.Now()
	c.phase, c.done = "comparing", 0
	if c.total == 0 {
		if err := c.count(ctx); err != nil {
			return err
		}
	}
	err := compareTables(ctx, c.tables, fromDatabase(c.source), fromDatabase(c.target), c.report, c.step)
	c.report.CompareSeconds = time.Since(began).Seconds()
	return err
}

// step notes progress, and shows it no more often than a person can read.
func (c *copier) step(t *Table, rows int64) {
	c.done += rows
	const rarely = 100 * time.Millisecond
	if c.options.Progress == nil || rows == 1 && c.done%1000 != 0 {
		return
	}
	if now := time.Now(); now.Sub(c.shown) >= rarely {
		c.shown = now
		c.options.Progress(Progress{Phase: c.phase, Table: t.Name, Done: min(c.done, c.total), Total: c.total})
	}
}

func (c *copier) tell(sentence string) {
	if c.options.Tell != nil {
		c.options.Tell(sentence)
	}
}
