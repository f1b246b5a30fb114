package main

import (
	"context"
	"strings"

	"github.com/hal9-ai/hal9/auth"
)

// UserSetRoleCmd changes a role.
type UserSetRoleCmd struct {
	User string `arg:"" name:"NAME" help:"The user's name or id."`
	Role string `arg:"" name:"ROLE" enum:"guest,user,admin" help:"guest, user or admin."`
	Output
	Settings
}

// Help describes the command.
func (UserSetRoleCmd) Help() string {
	return `A guest reads; a user also sends signals, makes and changes neurons and memories, and keeps API keys of his own; an admin does all. API keys never have more than their owner has. The last active admin stays one.

Example:

    hal9 user set-role ann admin`
}

// Run changes the role.
func (c *UserSetRoleCmd) Run(g *Globals) error {
	return changeUser(g, c.Settings, c.Output, c.User, auth.UserUpdateParams{Role: &c.Role}, "the user NAME has the role ROLE")
}

// UserActivateCmd lets a user in again.
type UserActivateCmd struct {
	User string `arg:"" name:"NAME" help:"The user's name or id."`
	Output
	Settings
}

// Help describes the command.
func (UserActivateCmd) Help() string {
	return `The user may log in again, and the API keys that were not revoked work again.

Example:

    hal9 user activate ann`
}

// Run lets the user in.
func (c *UserActivateCmd) Run(g *Globals) error {
	return changeUser(g, c.Settings, c.Output, c.User, auth.UserUpdateParams{IsActive: new(true)}, "the user NAME may come in")
}

// UserDeactivateCmd keeps a user out.
type UserDeactivateCmd struct {
	User string `arg:"" name:"NAME" help:"The user's name or id."`
	Output
	Settings
}

// Help describes the command.
func (UserDeactivateCmd) Help() string {
	return `The user's sessions end, and neither password nor API keys work until 'hal9 user activate'. The last active admin cannot be kept out.

Example:

    hal9 user deactivate ann`
}

// Run keeps the user out.
func (c *UserDeactivateCmd) Run(g *Globals) error {
	return changeUser(g, c.Settings, c.Output, c.User, auth.UserUpdateParams{IsActive: new(false)}, "the user NAME is kept out")
}

// changeUser changes a user and says so; NAME and ROLE in said stand for the user's.
func changeUser(g *Globals, s Settings, o Output, who string, change auth.UserUpdateParams, said string) error {
	change.Client = commandLine()
	return g.accounts(s, false, func(ctx context.Context, svc *auth.Service) error {
		user, err := findUser(ctx, svc, who)
		if err != nil {
			return err
		}
		if user, err = svc.UserUpdate(ctx, auth.Principal{}, user.ID, change); err != nil {
			return err
		}
		return o.line(g.Stdout, showUser(&user), "%s", strings.NewReplacer("NAME", user.Username, "ROLE", user.Role).Replace(said))
	})
}

// UserSetPasswordCmd sets a password.
type UserSetPasswordCmd struct {
	User string `arg:"" name:"NAME" help:"The user's name or id."`
	Password
	Output
	Settings
}

// Help describes the command.
func (UserSetPasswordCmd) Help() string {
	return `The user's sessions end; API keys stay. The password is asked for at the terminal, or read from the standard input by --password-stdin.

Example:

    hal9 user set-password ann
    hal9 user set-password ann --password-stdin < password.txt`
}

// Run sets the password.
func (c *UserSetPasswordCmd) Run(g *Globals) error {
	password, err := c.read(g, "hal9 user set-password")
	if err != nil {
		return err
	}
	return g.accounts(c.Settings, false, func(ctx context.Context, svc *auth.Service) error {
		user, err := findUser(ctx, svc, c.User)
		if err != nil {
			return err
		}
		if err := svc.UserSetPassword(ctx, auth.Principal{}, user.ID, password, commandLine()); err != nil {
			return err
		}
		return c.line(g.Stdout, showUser(&user), "the user %s has a new password, and all sessions ended", user.Username)
	})
}
