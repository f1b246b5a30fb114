package main

import (
	"context"
	"errors"

	"github.com/hal9-ai/hal9/schema"
)

// MigrateGrantCmd gives a role the rights of a server.
type MigrateGrantCmd struct {
	Role string `arg:"" help:"An existing role of PostgreSQL, as in hal9_server."`
	Output
	Change
	Settings
}

// Help describes the command.
func (MigrateGrantCmd) Help() string {
	return `A server that runs under such a role reads and writes rows and lets functions make and drop partitions; it can change no table. Run it after every 'hal9 migrate up', as the owner of the tables: what a migration adds is granted then. It may be repeated. PostgreSQL only.

Exits with 0 if the role has the rights, 1 if it failed, 2 if there is no such role or the engine has none, 3 if the database cannot be reached, and 4 if migrations are pending.

Example, for a deploy pipeline:

    hal9 migrate up --timeout 10m
    hal9 migrate grant hal9_server`
}

// Run grants.
func (c *MigrateGrantCmd) Run(g *Globals) error {
	err := c.migrate(g, c.Output, c.Settings, "hal9 migrate grant", func(ctx context.Context, m *schema.Migrator) error {
		if c.DryRun {
			return printScript(g.Stdout)(m.GrantScript(ctx, c.Role))
		}
		if err := m.Grant(ctx, c.Role); err != nil {
			return err
		}
		return c.line(g.Stdout, map[string]string{"role": c.Role}, "%s has what a server needs.", c.Role)
	})
	if _, ok := errors.AsType[*schema.VersionError](err); ok {
		return &ExitError{Code: exitPending, Err: err}
	}
	if errors.Is(err, schema.ErrNoRoles) || errors.Is(err, schema.ErrRole) {
		return &ExitError{Code: exitUsage, Err: err}
	}
	return err
}
