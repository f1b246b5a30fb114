package main

import (
	"context"

	"github.com/hal9-ai/hal9/auth"
)

// AdminCmd groups what gets somebody into a deployment.
type AdminCmd struct {
	CreateKey AdminCreateKeyCmd `cmd:"" help:"Make an API key with all scopes: the way in, and back in."`
}

// AdminCreateKeyCmd makes an admin's key.
type AdminCreateKeyCmd struct {
	Name string `default:"command line" help:"What the key is for (default 'command line')." placeholder:"TEXT"`
	Output
	Settings
}

// Help describes the command.
func (AdminCreateKeyCmd) Help() string {
	return `The key belongs to the oldest active admin; where there is none, the user admin is made, who has no password until 'hal9 user set-password admin'. The key goes to the standard output, this once. An SQLite database is made and migrated if it has to be.

Example:

    hal9 admin create-key
    curl -H "Authorization: Bearer $(hal9 admin create-key)" localhost:8080/api/v1/status`
}

// Run makes the key.
func (c *AdminCreateKeyCmd) Run(g *Globals) error {
	return g.accounts(c.Settings, true, func(ctx context.Context, svc *auth.Service) error {
		plaintext, key, err := svc.AdminKeyCreate(ctx, c.Name)
		if err != nil {
			return err
		}
		owner, err := svc.UserGet(ctx, key.UserID)
		if err != nil {
			return err
		}
		return g.printMade(c.Output, madeKey{showKey(&key), owner.Username, plaintext})
	})
}
