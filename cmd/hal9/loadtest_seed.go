package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/loadtest"
	"github.com/hal9-ai/hal9/model"
)

// LoadtestSeedCmd stores what the scenario wide asks for.
type LoadtestSeedCmd struct {
	Users    int           `default:"100000" help:"How many accounts (100000)." placeholder:"N"`
	Neurons  int           `default:"10000" help:"How many neurons (10000)." placeholder:"N"`
	TokenTTL time.Duration `default:"24h" help:"How long the tokens are good (24h)." name:"token-ttl" placeholder:"DURATION"`
	Accounts string        `default:"load-accounts.ndjson" help:"Write the accounts with their tokens to this file (load-accounts.ndjson)." placeholder:"FILE"`
	Output
	Settings
}

// Help describes the command.
func (LoadtestSeedCmd) Help() string {
	return `Writes to the database itself, also while servers run. The accounts share one password hash, since to hash 100,000 passwords takes an hour, and each gets a session with a token that is written for it; so load on them says nothing of logins. Their names begin with load-user-, those of the neurons with load-neuron-. To run it again passes over what is there, and gives all accounts new tokens besides. Never use it on a database with real users: the accounts' password is public.

Example:

    hal9 loadtest seed --database-url postgres://hal9@localhost/hal9
    hal9 loadtest run wide --accounts load-accounts.ndjson`
}

// seedPassword is that of all accounts of a load test.
const seedPassword = "SecurePassword123!"

// seedNamespace makes the ids of accounts out of their names, so that seeding again
// finds them.
var seedNamespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("hal9 loadtest seed")) //nolint:gochecknoglobals // a constant

// seedChunk is how many rows are stored at once.
const seedChunk = 1000

type seeded struct {
	Users    int64   `json:"users"`
	Neurons  int64   `json:"neurons"`
	Tokens   int     `json:"tokens"`
	Accounts string  `json:"accounts"`
	Seconds  float64 `json:"seconds"`
}

// Run stores neurons and accounts.
func (c *LoadtestSeedCmd) Run(g *Globals) (err error) {
	const most = 10_000_000
	if c.Users < 0 || c.Neurons < 0 || c.Users > most || c.Neurons > most || c.TokenTTL <= 0 {
		return usageError(fmt.Errorf("--users and --neurons are numbers up to %d, --token-ttl is longer than 0", most), "hal9 loadtest seed")
	}
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := refuseMemory(cfg, "is gone when this command ends"); err != nil {
		return err
	}
	done, err := c.seed(g.Context, cfg)
	if err != nil {
		return storeError(err)
	}
	return c.line(g.Stdout, done, "stored %d accounts and %d neurons, and wrote %d tokens to %s, in %.1f s",
		done.Users, done.Neurons, done.Tokens, done.Accounts, done.Seconds)
}

func (c *LoadtestSeedCmd) seed(ctx context.Context, cfg *config.Config) (done seeded, err error) {
	st, err := openStore(ctx, cfg)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, closeStore(st)) }()
	begin := time.Now()
	done.Accounts = c.Accounts
	if done.Neurons, err = seedNeurons(ctx, st, c.Neurons, begin); err != nil {
		return done, err
	}
	file, err := os.OpenFile(c.Accounts, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return done, usageError(fmt.Errorf("--accounts: %w", err), "hal9 loadtest seed")
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriter(file)
	if done.Users, err = c.seedUsers(ctx, st, begin, json.NewEncoder(out)); err != nil {
		return done, err
	}
	if err := out.Flush(); err != nil {
		return done, fmt.Errorf("write the accounts: %w", err)
	}
	done.Tokens, done.Seconds = c.Users, time.Since(begin).Seconds()
	return done, nil
}

func seedNeurons(ctx context.Context, st model.Store, n int, now time.Time) (stored int64, err error) {
	layers := []string{"L1", "L2", "L3", "L4"}
	return inChunks(ctx, st, n, func(ctx context.Context, q model.Imports, i int) (int64, error) {
		return q.NeuronImport(ctx, model.NeuronImportParams{
			ID: loadtest.NeuronName(i), Layer: layers[i%len(layers)], SystemPrompt: "A neuron for load tests.",
			Settings: model.JSON(`{}`), State: "idle", Condition: model.ConditionRunning, CreatedAt: now, UpdatedAt: now,
		})
	})
}

func (c *LoadtestSeedCmd) seedUsers(ctx context.Context, st model.Store, now time.Time, out *json.Encoder) (stored int64, err error) {
	hash, err := auth.Argon2{}.Hash(seedPassword)
	if err != nil {
		return 0, fmt.Errorf("hash the password: %w", err)
	}
	account := func(i int) (id uuid.UUID, name string) {
		name = fmt.Sprintf("load-user-%06d", i+1)
		return uuid.NewSHA1(seedNamespace, []byte(name)), name
	}
	stored, err = inChunks(ctx, st, c.Users, func(ctx context.Context, q model.Imports, i int) (int64, error) {
		id, name := account(i)
		return q.UserImport(ctx, model.UserImportParams{
			ID: id, Username: name, PasswordHash: hash, Role: auth.RoleUser, IsActive: true, CreatedAt: now, UpdatedAt: now,
		})
	})
	if err != nil {
		return stored, err
	}
	ids := model.NewIDGenerator(time.Now)
	expires := now.Add(c.TokenTTL)
	_, err = inChunks(ctx, st, c.Users, func(ctx context.Context, q model.Imports, i int) (int64, error) {
		id, name := account(i)
		token, tokenHash := auth.NewAccessToken()
		err := out.Encode(loadtest.Account{Username: name, Password: seedPassword, AccessToken: token}) //nolint:gosec // the password is public
		if err != nil {
			return 0, fmt.Errorf("write the accounts: %w", err)
		}
		return q.SessionImport(ctx, model.SessionImportParams{
			ID: ids.New(), UserID: id, TokenHash: tokenHash, ExpiresAt: expires, CreatedAt: now,
		})
	})
	return stored, err
}

// inChunks calls one for each of n rows, in transactions of many rows, and returns how
// many rows were written.
func inChunks(ctx context.Context, st model.Store, n int, one func(ctx context.Context, q model.Imports, i int) (int64, error)) (stored int64, err error) {
	for from := 0; from < n; from += seedChunk {
		err := st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
			rows, err := tx.ImportMany(ctx, min(seedChunk, n-from), func(ctx context.Context, q model.Imports, i int) (int64, error) {
				return one(ctx, q, from+i)
			})
			for _, written := range rows {
				stored += written
			}
			return err
		})
		if err != nil {
			return stored, fmt.Errorf("store rows %d to %d: %w", from+1, min(n, from+seedChunk), err)
		}
	}
	return stored, nil
}
