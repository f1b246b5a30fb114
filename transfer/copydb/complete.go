package copydb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// finish makes the target a database like any other.
func (c *copier) finish(ctx context.Context) error {
	counter, err := c.source.versionCounter(ctx)
	if err != nil {
		return err
	}
	epoch, err := epochOf(ctx, c.source)
	if err != nil {
		return err
	}
	if err := c.complete(ctx, counter, epoch); err != nil {
		return fmt.Errorf("finish the copy: %w", err)
	}
	if !c.options.Follow {
		return nil
	}
	// Servers may be started on it from now on; what they write is no part of the
	// comparison.
	if err := c.target.release(ctx); err != nil || c.options.SkipComparison {
		return err
	}
	return c.target.snapshot(ctx)
}

// complete raises the target's counters beyond those of the source, so that no cache
// takes an old row for a new one, and takes the marks of the copy away.
func (c *copier) complete(ctx context.Context, counter, epoch int64) error {
	counts, err := c.notes.refusedCounts(ctx)
	if err != nil {
		return err
	}
	for i := range c.tables {
		c.report.table(&c.tables[i]).Refused = counts[c.tables[i].Name]
	}
	if err := c.tellRefused(ctx); err != nil {
		return err
	}
	var ended struct{ epoch, version int64 }
	err = inTx(ctx, c.target, func() error {
		now := time.Now()
		if !c.options.Follow {
			// The source went on, or went on once: its clients know versions above these.
			counter = max(counter, model.UnusedVersion(now))
		}
		if err := c.target.raiseVersionCounter(ctx, counter); err != nil {
			return err
		}
		own, err := epochOf(ctx, c.target)
		if err != nil {
			return err
		}
		moment := any(now.UnixMicro())
		if c.target.engine() == "postgres" {
			moment = now.UTC().Format("2006-01-02 15:04:05.000000Z07:00")
		}
		// Beyond the epochs of both: caches of the source may be the target's.
		ended.epoch = max(own+1, epoch+1, now.Unix())
		if err := c.target.exec(ctx, "UPDATE database_epoch SET epoch = "+strconv.FormatInt(ended.epoch, 10)+", updated_at = ? WHERE id = 1", moment); err != nil {
			return err
		}
		if ended.version, err = c.target.versionCounter(ctx); err != nil {
			return err
		}
		if err := c.notes.drop(ctx); err != nil {
			return err
		}
		return c.target.unshield(ctx, fencedTables(c.tables))
	})
	if err != nil {
		return err
	}
	c.report.Epoch, c.report.Version, c.report.Complete = ended.epoch, ended.version, true
	return nil
}

// tellRefused lists the first rows that were refused in the report, and hands out all.
func (c *copier) tellRefused(ctx context.Context) error {
	c.report.Refused = []Refused{}
	return c.notes.eachRefused(ctx, func(r Refused) error {
		if len(c.report.Refused) < c.options.listed {
			c.report.Refused = append(c.report.Refused, r)
		}
		if c.options.Refused != nil {
			return c.options.Refused(r)
		}
		return nil
	})
}
