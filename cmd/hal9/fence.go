package main

import (
	"fmt"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// FenceCmd groups the commands about holding writers off.
type FenceCmd struct {
	On     FenceOnCmd     `cmd:"" help:"Hold off all who write to the database."`
	Off    FenceOffCmd    `cmd:"" help:"Let writers in again."`
	Status FenceStatusCmd `cmd:"" help:"Tell whether writers are held off, and why."`
}

// fenceJSON is what a program learns of a fence.
type fenceJSON struct {
	Database string `json:"database"`
	Fenced   bool   `json:"fenced"`
	Reason   string `json:"reason,omitempty"`
}

// FenceOnCmd fences a database.
type FenceOnCmd struct {
	Reason string `help:"Why, for who meets the fence (default maintenance)." default:"maintenance" placeholder:"TEXT"`
	Output
	Settings
}

// Help describes the command.
func (FenceOnCmd) Help() string {
	return `Each table refuses changes from now on, whichever server or program they come from; what was being written when the command began is committed before it ends. Reading goes on. Servers answer writes with 503 and Retry-After, and keep no house. It lasts until 'hal9 fence off'. On PostgreSQL it needs the owner of the tables.

To hold off a single server, set database.read_only.

Example:

    hal9 fence on --reason "moving to the new host"`
}

// Run fences.
func (c *FenceOnCmd) Run(g *Globals) error {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := copydb.Fence(g.Context, adminURL(cfg), c.Reason); err != nil {
		return copyError(err, nil)
	}
	name := config.MaskURL(cfg.Database.URL)
	return c.line(g.Stdout, fenceJSON{name, true, c.Reason}, "%s takes no writes: %s", name, c.Reason)
}

// FenceOffCmd lifts a fence.
type FenceOffCmd struct {
	Output
	Settings
}

// Help describes the command.
func (FenceOffCmd) Help() string {
	return `Takes the fence away that 'hal9 fence on' or 'hal9 copy --follow' put up. After a move, do that to the old database only to go back to it: what is written to it then is not in the new one.

Example:

    hal9 fence off --database-url sqlite://hal9.db`
}

// Run lifts the fence.
func (c *FenceOffCmd) Run(g *Globals) error {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := copydb.Lift(g.Context, adminURL(cfg)); err != nil {
		return copyError(err, nil)
	}
	name := config.MaskURL(cfg.Database.URL)
	return c.line(g.Stdout, fenceJSON{Database: name}, "%s takes writes", name)
}

// FenceStatusCmd tells of a fence.
type FenceStatusCmd struct {
	Output
	Settings
}

// Help describes the command.
func (FenceStatusCmd) Help() string {
	return `Tells whether the database is fenced, and with which reason.

Example:

    hal9 fence status --json`
}

// Run tells.
func (c *FenceStatusCmd) Run(g *Globals) error {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	reason, err := copydb.Fenced(g.Context, adminURL(cfg))
	if err != nil {
		return copyError(err, nil)
	}
	name := config.MaskURL(cfg.Database.URL)
	text := name + " takes writes"
	if reason != "" {
		text = fmt.Sprintf("%s takes no writes: %s", name, reason)
	}
	return c.line(g.Stdout, fenceJSON{name, reason != "", reason}, "%s", text)
}
