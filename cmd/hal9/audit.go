package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
)

// AuditCmd groups the commands about the audit log.
type AuditCmd struct {
	List AuditListCmd `cmd:"" help:"Show the privileged acts, the newest first."`
}

// AuditListCmd shows the audit log.
type AuditListCmd struct {
	User   string `help:"Only what the user of this name or id did." placeholder:"NAME"`
	Action string `help:"Only this act, as login.failed." placeholder:"ACTION"`
	Since  string `help:"Only what was done no longer ago, as 2h or 90d." placeholder:"DURATION"`
	Limit  int    `default:"100" help:"How many at the most, 1 to 100000 (default 100)." placeholder:"N"`
	Output
	Settings
}

// Help describes the command.
func (AuditListCmd) Help() string {
	return `Reads the database itself, also when no server runs or nobody can log in. What commands did has no address: its program is "hal9 command line". docs/accounts.md lists the acts; GET /api/v1/audit has the same log.

Example:

    hal9 audit list --action login.failed --since 1d
    hal9 audit list --user ann --json`
}

// auditJSON is an act as the command line shows it.
type auditJSON struct {
	ID           uuid.UUID      `json:"id"`
	CreatedAt    time.Time      `json:"created_at"`
	UserID       *uuid.UUID     `json:"user_id"`
	Username     *string        `json:"username"` // null if nobody has the id any more
	Action       string         `json:"action"`
	ResourceType string         `json:"resource_type"`
	ResourceID   *string        `json:"resource_id"`
	Details      jsontext.Value `json:"details"`
	IPAddress    *string        `json:"ip_address"`
	UserAgent    *string        `json:"user_agent"`
}

// Run shows the log.
func (c *AuditListCmd) Run(g *Globals) error {
	const most = 100_000
	if c.Limit < 1 || c.Limit > most {
		return usageError(fmt.Errorf("--limit is %d: give a number from 1 to %d", c.Limit, most), "hal9 audit list")
	}
	arg := model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID()}
	if c.Since != "" {
		d, err := config.ParseDuration(c.Since)
		if err != nil {
			return usageError(fmt.Errorf("--since is %q: %w", c.Since, err), "hal9 audit list")
		}
		arg.Since = time.Now().Add(-d)
	}
	if c.Action != "" {
		arg.Action = &c.Action
	}
	return g.accounts(c.Settings, false, func(ctx context.Context, svc *auth.Service) error {
		if c.User != "" {
			id, err := userID(ctx, svc, c.User)
			if err != nil {
				return err
			}
			arg.UserID = &id
		}
		all, err := auditList(ctx, svc, arg, c.Limit)
		if err != nil {
			return err
		}
		return c.print(g.Stdout, all, func(w io.Writer) error { return writeAudit(w, all) })
	})
}

// userID is that of a user; an id may be that of one who was deleted.
func userID(ctx context.Context, svc *auth.Service, who string) (uuid.UUID, error) {
	if id, err := uuid.Parse(who); err == nil {
		return id, nil
	}
	user, err := findUser(ctx, svc, who)
	return user.ID, err
}

// auditList reads up to limit acts by pages, with the names of who did them.
func auditList(ctx context.Context, svc *auth.Service, arg model.AuditListParams, limit int) ([]auditJSON, error) {
	const page = 500
	all, names := []auditJSON{}, map[uuid.UUID]*string{}
	for len(all) < limit {
		arg.PageLimit = int64(min(page, limit-len(all)))
		rows, err := svc.AuditList(ctx, arg)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			row := &rows[i]
			a := auditJSON{
				ID: row.ID, CreatedAt: row.CreatedAt, UserID: row.UserID, Action: row.Action, ResourceType: row.ResourceType,
				ResourceID: row.ResourceID, Details: jsontext.Value(row.Details), IPAddress: row.IPAddress, UserAgent: row.UserAgent,
			}
			if a.Username, err = nameOf(ctx, svc, row.UserID, names); err != nil {
				return nil, err
			}
			all = append(all, a)
		}
		if int64(len(rows)) < arg.PageLimit {
			break
		}
		last := rows[len(rows)-1]
		arg.CursorCreatedAt, arg.CursorID = last.CreatedAt, last.ID
	}
	return all, nil
}

// nameOf is a user's name, asked for once; nil for nobody, and nobody any more.
func nameOf(ctx context.Context, svc *auth.Service, id *uuid.UUID, names map[uuid.UUID]*string) (*string, error) {
	if id == nil {
		return nil, nil //nolint:nilnil // nobody did it
	}
	if name, known := names[*id]; known {
		return name, nil
	}
	user, err := svc.UserGet(ctx, *id)
	switch {
	case err == nil:
		names[*id] = &user.Username
	case errors.Is(err, model.ErrNotFound):
		names[*id] = nil
	default:
		return nil, err
	}
	return names[*id], nil
}

func writeAudit(w io.Writer, all []auditJSON) error {
	if len(all) == 0 {
		return say(w, "Nothing of the kind was done.\n")
	}
	or := func(texts ...*string) string {
		for _, t := range texts {
			if t != nil && *t != "" {
				return *t
			}
		}
		return "-"
	}
	rows := [][]string{{"TIME", "WHO", "ACTION", "ON", "FROM"}}
	for i := range all {
		a := &all[i]
		who := or(a.Username)
		if a.Username == nil && a.UserID != nil {
			who = a.UserID.String()
		}
		on := a.ResourceType
		if a.ResourceID != nil {
			on += " " + *a.ResourceID
		}
		rows = append(rows, []string{moment(&a.CreatedAt), who, a.Action, on, or(a.IPAddress, a.UserAgent)})
	}
	return writeTable(w, rows)
}
