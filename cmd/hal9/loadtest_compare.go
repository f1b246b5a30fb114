package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hal9-ai/hal9/loadtest"
)

// LoadtestCompareCmd sets reports beside each other.
type LoadtestCompareCmd struct {
	Files  []string `arg:"" name:"FILE" help:"Reports that 'hal9 loadtest run --json' wrote."`
	Target []string `help:"Show this figure and whether it is reached, as in 'p99 < 200ms'; may be repeated." placeholder:"BOUND" sep:"none"`
	Output
}

// Help describes the command.
func (*LoadtestCompareCmd) Help() string {
	return `Prints a table with a line for each report, named by its file. With targets it shows those figures and marks what misses them; that is no failure.

Example:

    hal9 loadtest compare before.json after.json
    hal9 loadtest compare *.json --target 'rate > 10000' --target 'p99 < 200ms'`
}

// Run prints the comparison.
func (c *LoadtestCompareCmd) Run(g *Globals) error {
	targets := make([]loadtest.Threshold, len(c.Target))
	for i, text := range c.Target {
		var err error
		if targets[i], err = loadtest.ParseThreshold(text); err != nil {
			return usageError(fmt.Errorf("--target: %w", err), "hal9 loadtest compare")
		}
	}
	reports := make([]loadtest.Named, len(c.Files))
	for i, name := range c.Files {
		report, err := readReport(name)
		if err != nil {
			return err
		}
		base := filepath.Base(name)
		reports[i] = loadtest.Named{Name: strings.TrimSuffix(base, filepath.Ext(base)), Report: report}
	}
	comparison := loadtest.Compare(reports, targets)
	return c.print(g.Stdout, comparison, comparison.Text)
}

func readReport(name string) (*loadtest.Report, error) {
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	report, err := loadtest.ReadReport(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return report, errors.Join(err, f.Close())
}
