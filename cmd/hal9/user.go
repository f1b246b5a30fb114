package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// UserCmd groups the commands about users.
type UserCmd struct {
	Create      UserCreateCmd      `cmd:"" help:"Make a user."`
	List        UserListCmd        `cmd:"" help:"Show all users."`
	Show        UserShowCmd        `cmd:"" help:"Show one user with sessions and API keys."`
	SetRole     UserSetRoleCmd     `cmd:"" help:"Change what a user may do."`
	SetPassword UserSetPasswordCmd `cmd:"" help:"Give a user a new password."`
	Activate    UserActivateCmd    `cmd:"" help:"Let a user in again."`
	Deactivate  UserDeactivateCmd  `cmd:"" help:"Keep a user out."`
	Delete      UserDeleteCmd      `cmd:"" help:"Delete a user with sessions and API keys."`
}

// userJSON is a user as the command line shows it: without the hash of the password.
type userJSON struct {
	ID        uuid.UUID  `json:"id"`
	Username  string     `json:"username"`
	Email     *string    `json:"email"`
	Role      string     `json:"role"`
	IsActive  bool       `json:"is_active"`
	CreatedAt time.Time  `json:"created_at"`
	LastLogin *time.Time `json:"last_login"`
}

func showUser(u *model.User) userJSON {
	return userJSON{u.ID, u.Username, u.Email, u.Role, u.IsActive, u.CreatedAt, u.LastLogin}
}

// UserCreateCmd makes a user.
type UserCreateCmd struct {
	Username string  `arg:"" name:"NAME" help:"The name to log in with."`
	Role     string  `default:"user" enum:"guest,user,admin" help:"guest reads, user writes, admin does all (default user)." placeholder:"guest|user|admin"`
	Email    *string `help:"The user's address." placeholder:"ADDRESS"`
	Password
	Output
	Settings
}

// Help describes the command.
func (UserCreateCmd) Help() string {
	return `Works on the database itself, also while servers run. The password is asked for at the terminal, or read from the standard input by --password-stdin; it is no argument, since those show in the list of processes. An SQLite database is made and migrated if it has to be.

Example:

    hal9 user create ann --role admin
    hal9 user create ann --password-stdin < password.txt`
}

// Run makes the user.
func (c *UserCreateCmd) Run(g *Globals) error {
	password, err := c.read(g, "hal9 user create")
	if err != nil {
		return err
	}
	return g.accounts(c.Settings, true, func(ctx context.Context, svc *auth.Service) error {
		user, err := svc.UserCreate(ctx, auth.Principal{}, auth.UserCreateParams{
			Username: c.Username, Password: password, Role: c.Role, Email: c.Email, Client: commandLine(),
		})
		if err != nil {
			return err
		}
		return c.line(g.Stdout, showUser(&user), "made the user %s with the role %s", user.Username, user.Role)
	})
}

// UserListCmd shows users.
type UserListCmd struct {
	Output
	Settings
}

// Help describes the command.
func (UserListCmd) Help() string {
	return `In order of their names.

Example:

    hal9 user list --json`
}

// Run shows users.
func (c *UserListCmd) Run(g *Globals) error {
	return g.accounts(c.Settings, false, func(ctx context.Context, svc *auth.Service) error {
		all := []userJSON{}
		const page = 500
		for after := ""; ; {
			users, err := svc.UserList(ctx, after, page)
			if err != nil {
				return err
			}
			for i := range users {
				all = append(all, showUser(&users[i]))
			}
			if len(users) < page {
				break
			}
			after = users[len(users)-1].Username
		}
		return c.print(g.Stdout, all, func(w io.Writer) error {
			rows := [][]string{{"NAME", "ROLE", "ACTIVE", "LAST LOGIN", "ID"}}
			for _, u := range all {
				rows = append(rows, []string{u.Username, u.Role, yesNo(u.IsActive), moment(u.LastLogin), u.ID.String()})
			}
			return writeTable(w, rows)
		})
	})
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// UserShowCmd shows a user.
type UserShowCmd struct {
	User string `arg:"" name:"NAME" help:"The user's name or id."`
	Output
	Settings
}

// Help describes the command.
func (UserShowCmd) Help() string {
	return `Neither passwords nor keys are shown: the database holds only hashes of them.

Example:

    hal9 user show ann`
}

// Run shows the user.
func (c *UserShowCmd) Run(g *Globals) error {
	return g.accounts(c.Settings, false, func(ctx context.Context, svc *auth.Service) error {
		user, err := findUser(ctx, svc, c.User)
		if err != nil {
			return err
		}
		sessions, err := svc.UserSessions(ctx, user.ID)
		if err != nil {
			return err
		}
		keys, err := svc.UserAPIKeys(ctx, user.ID)
		if err != nil {
			return err
		}
		shown := struct {
			userJSON

			Sessions int       `json:"sessions"`
			APIKeys  []keyJSON `json:"api_keys"`
		}{showUser(&user), len(sessions), showKeys(keys)}
		return c.print(g.Stdout, shown, func(w io.Writer) error {
			email := "-"
			if user.Email != nil {
				email = *user.Email
			}
			err := writeFields(w, [][]string{
				{"name", user.Username},
				{"id", user.ID.String()},
				{"email", email},
				{"role", user.Role},
				{"active", yesNo(user.IsActive)},
				{"made", moment(&user.CreatedAt)},
				{"last login", moment(user.LastLogin)},
				{"sessions", strconv.Itoa(len(sessions))},
			})
			if err != nil || len(keys) == 0 {
				return err
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err //nolint:wrapcheck // print wraps it
			}
			return writeKeys(w, shown.APIKeys)
		})
	})
}

// UserDeleteCmd deletes a user.
type UserDeleteCmd struct {
	User string `arg:"" name:"NAME" help:"The user's name or id."`
	Yes  bool   `help:"Do not ask."`
	Output
	Settings
}

// Help describes the command.
func (UserDeleteCmd) Help() string {
	return `The user's sessions and API keys go along; neurons, signals, memories and the audit log stay. The last active admin cannot be deleted. It asks first; without a terminal it needs --yes. To keep a user out for a time, use 'hal9 user deactivate'.

Example:

    hal9 user delete ann --yes`
}

// Run deletes the user.
func (c *UserDeleteCmd) Run(g *Globals) error {
	return g.accounts(c.Settings, false, func(ctx context.Context, svc *auth.Service) error {
		user, err := findUser(ctx, svc, c.User)
		if err != nil {
			return err
		}
		if err := g.confirm(ctx, c.Yes, fmt.Sprintf("This deletes the user %s with all sessions and API keys.", user.Username), "hal9 user delete"); err != nil {
			return err
		}
		if err := svc.UserDelete(ctx, auth.Principal{}, user.ID, commandLine()); err != nil {
			return err
		}
		return c.line(g.Stdout, showUser(&user), "deleted the user %s", user.Username)
	})
}
