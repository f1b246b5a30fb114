package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
)

// mostCounted bounds the count of a month's rows in the default partition: counting more
// takes seconds, and nobody needs it exactly.
const mostCounted = 1_000_000

// PartitionsListCmd shows partitions.
type PartitionsListCmd struct {
	Output
	Timeout time.Duration `default:"30s" help:"Give up after this time (default 30s)." placeholder:"DURATION"`
	Settings
}

// Help describes the command.
func (PartitionsListCmd) Help() string {
	return `On PostgreSQL the count of a partition's rows is the planner's estimate, marked by ~, a question mark before the first ANALYZE. The default partition comes after the months: signals of all other months, which are counted, up to 1,000,000 each. They move home when their month is made. Detached months follow. On SQLite rows are counted, and sizes are not known.

Example:

    hal9 partitions list --json`
}

// Run shows partitions.
func (c *PartitionsListCmd) Run(g *Globals) error {
	quiet := Change{Timeout: c.Timeout}
	return quiet.partitions(g, c.Settings, "hal9 partitions list", func(ctx context.Context, _ *config.Config, st model.Store) error {
		all, err := st.SignalPartitionList(ctx)
		if err != nil {
			return fmt.Errorf("list the partitions: %w", err)
		}
		months, err := st.SignalPartitionDefaultMonths(ctx, mostCounted)
		if err != nil {
			return fmt.Errorf("list the partitions: %w", err)
		}
		detached, err := st.SignalPartitionDetachedList(ctx)
		if err != nil {
			return fmt.Errorf("list the partitions: %w", err)
		}
		out := partitionsJSON(all)
		for i := range out {
			out[i].exact = st.Engine() == dburl.SQLite
			if out[i].Default {
				out[i].holds(months)
			}
		}
		for _, p := range partitionsJSON(detached) {
			p.Detached = true
			out = append(out, p)
		}
		return c.print(g.Stdout, out, func(w io.Writer) error { return printPartitions(w, out, st.Engine(), time.Now()) })
	})
}

// partitionJSON is a partition as the command line shows it.
type partitionJSON struct {
	Name    string      `json:"name"`
	Start   *time.Time  `json:"start"`
	End     *time.Time  `json:"end"`
	Default bool        `json:"default"`
	Rows    *int64      `json:"rows"`             // null if nobody knows
	Bytes   *int64      `json:"bytes"`            // null on SQLite
	Months  []monthJSON `json:"months,omitempty"` // of the default partition
	// Detached says that it is a table beside the signals: nobody finds what is in it.
	Detached bool `json:"detached"`

	exact bool // whether Rows were counted
}

// monthJSON is a month whose signals lie in the default partition.
type monthJSON struct {
	Month string `json:"month"`
	Rows  int64  `json:"rows"`
}

// holds puts in what the default partition was found to hold.
func (p *partitionJSON) holds(months []model.SignalMonth) {
	var rows int64
	for _, m := range months {
		rows += m.Rows
		p.Months = append(p.Months, monthJSON{m.Start.Format(monthLayout), m.Rows})
	}
	p.Rows, p.exact = &rows, true
}

func partitionsJSON(all []model.SignalPartition) []partitionJSON {
	out := make([]partitionJSON, len(all))
	for i, p := range all {
		out[i] = partitionJSON{Name: p.Name, Default: p.IsDefault}
		if !p.IsDefault {
			out[i].Start, out[i].End = &p.Start, new(p.Until())
		}
		if p.Rows >= 0 {
			out[i].Rows = &p.Rows
		}
		if p.Bytes >= 0 {
			out[i].Bytes = &p.Bytes
		}
	}
	return out
}

func printPartitions(w io.Writer, all []partitionJSON, engine string, now time.Time) error {
	if len(all) == 0 {
		return say(w, "There are no signals.\n")
	}
	sized := engine == dburl.Postgres
	heads := []string{"PARTITION", "FROM", "UNTIL", "ROWS"}
	if sized {
		heads = append(heads, "SIZE")
	}
	table := [][]string{heads}
	for _, p := range all {
		if p.Detached {
			continue
		}
		row := []string{p.Name, "all other", "times", p.count()}
		if !p.Default {
			row[1], row[2] = p.Start.Format(time.DateOnly), p.End.Format(time.DateOnly)
		}
		if sized {
			row = append(row, p.size())
		}
		table = append(table, row)
	}
	if err := writeTable(w, table); err != nil || !sized {
		return err
	}
	return say(w, partitionsSummary(all, now))
}

// count is the count of rows as a table shows it.
func (p *partitionJSON) count() string {
	switch {
	case p.Rows == nil:
		return "?"
	case p.exact:
		return strconv.FormatInt(*p.Rows, 10)
	default:
		return "~" + strconv.FormatInt(*p.Rows, 10)
	}
}

// size is what a partition takes, as a table shows it.
func (p *partitionJSON) size() string {
	if p.Bytes == nil {
		return "?"
	}
	return sizeText(*p.Bytes)
}

// partitionsSummary tells what the table does not show: how long the partitions last,
// and what the default one holds.
func partitionsSummary(all []partitionJSON, now time.Time) string {
	const shown = 6
	months := make([]model.SignalPartition, 0, len(all))
	var text strings.Builder
	for _, p := range all {
		if p.Detached {
			continue
		}
		if !p.Default {
			months = append(months, model.SignalPartition{Start: *p.Start})
			continue
		}
		if len(p.Months) > 0 {
			text.WriteString("\nIn the default partition:\n")
		}
		for i, m := range p.Months {
			if i == shown {
				fmt.Fprintf(&text, "  and %d more\n", len(p.Months)-shown)
				break
			}
			fmt.Fprintf(&text, "  %s  %d rows; 'hal9 partitions ensure --month %s' moves them home\n", m.Month, m.Rows, m.Month)
		}
	}
	ahead := model.SignalMonthsAhead(months, now)
	line := fmt.Sprintf("\n%d months ahead have their partition.\n", max(ahead, 0))
	switch {
	case ahead < 0:
		line = "\nThis month has no partition: run 'hal9 partitions ensure'.\n"
	case ahead < model.LeastMonthsAhead:
		line = fmt.Sprintf("\nOnly %d of the months ahead have their partition: run 'hal9 partitions ensure'.\n", ahead)
	}
	return line + text.String() + detachedSummary(all)
}

// detachedSummary tells of the months that are detached.
func detachedSummary(all []partitionJSON) string {
	var text strings.Builder
	for _, p := range all {
		if !p.Detached {
			continue
		}
		if text.Len() == 0 {
			text.WriteString("\nDetached, and not found by anybody:\n")
		}
		fmt.Fprintf(&text, "  %s  %s rows, %s; 'hal9 partitions attach %s' brings it back\n", p.Name, p.count(), p.size(), p.Start.Format(monthLayout))
	}
	return text.String()
}

// sizeText is a number of bytes for a person.
func sizeText(bytes int64) string {
	const step = 1024
	if bytes < step {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	size, unit := float64(bytes)/step, 0
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	for size >= step && unit < len(units)-1 {
		size, unit = size/step, unit+1
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + units[unit]
}
