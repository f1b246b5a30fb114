package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
)

// commandLine is who acts in the audit log. There is no user: who may run this command
// holds the database itself.
func commandLine() auth.Client { return auth.Client{UserAgent: "hal9 command line"} }

// accounts opens the database and hands its accounts to fn. makes says that an SQLite
// database may be made and migrated for it; otherwise pending migrations exit with 4.
func (g *Globals) accounts(s Settings, makes bool, fn func(context.Context, *auth.Service) error) (err error) {
	cfg, err := g.LoadConfig(s)
	if err != nil {
		return err
	}
	if err := refuseMemory(cfg, "is gone when this command ends"); err != nil {
		return err
	}
	if !makes {
		if err := checkSchema(g.Context, cfg); err != nil {
			return err
		}
	}
	st, err := openStore(g.Context, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(st)) }()
	svc, err := auth.New(auth.Config{Store: st})
	if err != nil {
		return fmt.Errorf("open the accounts: %w", err)
	}
	return errors.Join(storeError(fn(g.Context, svc)), g.tellServers(g.Context, cfg, st))
}

// refuseMemory refuses a database that no other process can see.
func refuseMemory(cfg *config.Config, why string) error {
	if cfg.Database.Engine() != dburl.SQLite {
		return nil
	}
	path, err := dburl.SQLitePath(cfg.Database.URL)
	if err != nil {
		return &config.Error{Key: "database.url", Problem: err.Error(), Mend: dburl.Examples}
	}
	if path == dburl.MemoryPath {
		return &config.Error{Key: "database.url", Problem: "a database in memory " + why, Mend: "name a file, as in sqlite://hal9.db"}
	}
	return nil
}

// storeError gives an error of the store its exit code.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, model.ErrInvalid):
		return &ExitError{Code: exitUsage, Err: err}
	case errors.Is(err, model.ErrUnavailable), errors.Is(err, model.ErrTimeout):
		return &ExitError{Code: exitUnreachable, Err: err}
	default:
		return err
	}
}

// findUser returns the user of a name or, where no user has that name, of an id.
func findUser(ctx context.Context, svc *auth.Service, who string) (model.User, error) {
	user, err := svc.UserGetByUsername(ctx, who)
	if errors.Is(err, model.ErrNotFound) {
		if id, bad := uuid.Parse(who); bad == nil {
			user, err = svc.UserGet(ctx, id)
		}
	}
	if errors.Is(err, model.ErrNotFound) {
		return user, &ExitError{Code: exitFailure, Err: fmt.Errorf("there is no user %q", who), Hint: "'hal9 user list' shows them all."}
	}
	return user, err
}

// moment writes a time for people; none is a dash.
func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
