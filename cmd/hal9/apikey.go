package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
)

// APIKeyCmd groups the commands about API keys.
type APIKeyCmd struct {
	Create APIKeyCreateCmd `cmd:"" help:"Make an API key for a user."`
	List   APIKeyListCmd   `cmd:"" help:"Show a user's API keys."`
	Revoke APIKeyRevokeCmd `cmd:"" help:"Make an API key void for good."`
	Delete APIKeyDeleteCmd `cmd:"" help:"Delete an API key."`
}

// keyJSON is a key as the command line shows it: without its hash.
type keyJSON struct {
	ID         uuid.UUID  `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	IsActive   bool       `json:"is_active"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func showKey(k *model.APIKey) keyJSON {
	return keyJSON{k.ID, k.Name, auth.KeyScopes(k.Permissions).List(), k.IsActive, k.CreatedAt, k.ExpiresAt, k.LastUsedAt}
}

func showKeys(keys []model.APIKey) []keyJSON {
	shown := make([]keyJSON, len(keys))
	for i := range keys {
		shown[i] = showKey(&keys[i])
	}
	return shown
}

func writeKeys(w io.Writer, keys []keyJSON) error {
	rows := [][]string{{"KEY", "NAME", "ACTIVE", "EXPIRES", "LAST USED", "SCOPES"}}
	for _, k := range keys {
		scopes := strings.Join(k.Scopes, ",")
		if len(k.Scopes) == len(auth.RoleScopes(auth.RoleAdmin).List()) {
			scopes = "all"
		}
		rows = append(rows, []string{k.ID.String(), k.Name, yesNo(k.IsActive), moment(k.ExpiresAt), moment(k.LastUsedAt), scopes})
	}
	return writeTable(w, rows)
}

// madeKey is a new key: the only time that its text is shown.
type madeKey struct {
	keyJSON

	User string `json:"user"`
	Key  string `json:"key"`
}

// printMade writes the key alone where a program reads it, and the rest where a person
// does.
func (g *Globals) printMade(o Output, made madeKey) error {
	if o.JSON {
		return writeJSON(g.Stdout, made)
	}
	if _, err := fmt.Fprintf(g.Stderr, "The API key %q of the user %s. It is shown this once:\n", made.Name, made.User); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return o.line(g.Stdout, made, "%s", made.Key)
}

// APIKeyCreateCmd makes a key.
type APIKeyCreateCmd struct {
	User      string   `help:"The owner's name or id." placeholder:"NAME" required:""`
	Name      string   `help:"What the key is for." placeholder:"TEXT" required:""`
	Scope     []string `help:"Something that the key may do; may be given several times. Default: all that its owner may." placeholder:"SCOPE"`
	ExpiresIn string   `help:"How long it works, as in 90d. Default: for ever." placeholder:"DURATION"`
	Output
	Settings
}

// Help describes the command.
func (APIKeyCreateCmd) Help() string {
	return `The key goes to the standard output, this once: the database holds only its hash. Whatever scopes it has, it never may more than its owner may at that moment.

Scopes: ` + strings.Join(auth.RoleScopes(auth.RoleAdmin).List(), ", ") + `.

Example:

    hal9 apikey create --user ann --name "nightly import" --scope ViewNeuron --scope SendSignal --expires-in 90d
    key=$(hal9 apikey create --user ann --name script)`
}

// Run makes the key.
func (c *APIKeyCreateCmd) Run(g *Globals) error {
	var expires *time.Time
	if c.ExpiresIn != "" {
		d, err := config.ParseDuration(c.ExpiresIn)
		if err == nil && d <= 0 {
			err = errors.New("it must be longer than 0")
		}
		if err != nil {
			return usageError(fmt.Errorf("--expires-in is %q: %w", c.ExpiresIn, err), "hal9 apikey create")
		}
		expires = new(time.Now().Add(d))
	}
	return g.accounts(c.Settings, false, func(ctx context.Context, svc *auth.Service) error {
		user, err := findUser(ctx, svc, c.User)
		if err != nil {
			return err
		}
		if err := c.checkScopes(&user); err != nil {
			return err
		}
		owner := auth.Principal{UserID: user.ID, Username: user.Username, Role: user.Role, Scopes: auth.RoleScopes(user.Role)}
		key, plaintext, err := svc.APIKeyCreate(ctx, owner, auth.APIKeyCreateParams{
			Name: c.Name, Scopes: c.Scope, ExpiresAt: expires, Client: commandLine(),
		})
		if err != nil {
			return err
		}
		return g.printMade(c.Output, madeKey{showKey(&key), user.Username, plaintext})
	})
}

// checkScopes names the flag, and the owner as whom it is asked.
func (c *APIKeyCreateCmd) checkScopes(owner *model.User) error {
	const command = "hal9 apikey create"
	scopes, err := auth.ParseScopes(c.Scope)
	if err != nil {
		return usageError(fmt.Errorf("--scope: %w", err), command)
	}
	if more := scopes &^ auth.RoleScopes(owner.Role); more != 0 {
		return usageError(fmt.Errorf("--scope: the user %s has the role %s, which lacks %s", owner.Username, owner.Role, strings.Join(more.List(), " and ")), command)
	}
	return nil
}

// APIKeyListCmd shows keys.
type APIKeyListCmd struct {
	User string `help:"The owner's name or id." placeholder:"NAME" required:""`
	Output
	Settings
}

// Help describes the command.
func (APIKeyListCmd) Help() string {
	return `The newest first. The keys themselves are not shown: the database holds only hashes of them.

Example:

    hal9 apikey list --user ann`
}

// Run shows keys.
func (c *APIKeyListCmd) Run(g *Globals) error {
	return g.accounts(c.Settings, false, func(ctx context.Context, svc *auth.Service) error {
		user, err := findUser(ctx, svc, c.User)
		if err != nil {
			return err
		}
		keys, err := svc.UserAPIKeys(ctx, user.ID)
		if err != nil {
			return err
		}
		shown := showKeys(keys)
		return c.print(g.Stdout, shown, func(w io.Writer) error { return writeKeys(w, shown) })
	})
}

// ofKey names a key of a user.
type ofKey struct {
	ID   string `arg:"" name:"KEY" help:"The key's id, as 'hal9 apikey list' shows it."`
	User string `help:"The owner's name or id." placeholder:"NAME" required:""`
}

// change hands the user and the key's id to fn.
func (k ofKey) change(g *Globals, s Settings, command string, fn func(context.Context, *auth.Service, model.User, uuid.UUID) error) error {
	id, err := uuid.Parse(k.ID)
	if err != nil {
		// Not repeated: it may be the key itself.
		return usageError(errors.New("KEY is no id; 'hal9 apikey list' shows the ids of a user's keys"), command)
	}
	return g.accounts(s, false, func(ctx context.Context, svc *auth.Service) error {
		user, err := findUser(ctx, svc, k.User)
		if err != nil {
			return err
		}
		err = fn(ctx, svc, user, id)
		if errors.Is(err, model.ErrNotFound) {
			return fmt.Errorf("the user %s has no key %s", user.Username, id)
		}
		return err
	})
}

// APIKeyRevokeCmd revokes a key.
type APIKeyRevokeCmd struct {
	ofKey
	Output
	Settings
}

// Help describes the command.
func (APIKeyRevokeCmd) Help() string {
	return `The key stays in the list, and never works again.

Example:

    hal9 apikey revoke 01a20aae-d5d7-7000-bd12-8a8fd23cbf52 --user ann`
}

// Run revokes the key.
func (c *APIKeyRevokeCmd) Run(g *Globals) error {
	return c.change(g, c.Settings, "hal9 apikey revoke", func(ctx context.Context, svc *auth.Service, user model.User, id uuid.UUID) error {
		key, err := svc.AdminAPIKeyRevoke(ctx, auth.Principal{}, user.ID, id, commandLine())
		if err != nil {
			return err
		}
		return c.line(g.Stdout, showKey(&key), "revoked the key %q of the user %s", key.Name, user.Username)
	})
}

// APIKeyDeleteCmd deletes a key.
type APIKeyDeleteCmd struct {
	ofKey
	Output
	Settings
}

// Help describes the command.
func (APIKeyDeleteCmd) Help() string {
	return `The key is gone from the list as well; the audit log still tells of it.

Example:

    hal9 apikey delete 01a20aae-d5d7-7000-bd12-8a8fd23cbf52 --user ann`
}

// Run deletes the key.
func (c *APIKeyDeleteCmd) Run(g *Globals) error {
	return c.change(g, c.Settings, "hal9 apikey delete", func(ctx context.Context, svc *auth.Service, user model.User, id uuid.UUID) error {
		if err := svc.AdminAPIKeyDelete(ctx, auth.Principal{}, user.ID, id, commandLine()); err != nil {
			return err
		}
		return c.line(g.Stdout, map[string]any{"id": id, "deleted": true}, "deleted the key %s of the user %s", id, user.Username)
	})
}
