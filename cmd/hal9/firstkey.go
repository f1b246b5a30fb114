package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
)

// keyFilePattern names the file with the first key; the star is random, so that a key of
// another database is never replaced.
const keyFilePattern = "hal9-admin-key-*.txt"

// firstAdmin makes the first admin's key on a database without users, while anybody on
// this machine may come in anyway. It shows the key on a terminal, otherwise it writes
// it into a file for its owner alone; the log never holds it. Of servers that start
// together one makes it.
func (g *Globals) firstAdmin(ctx context.Context, log *slog.Logger, cfg *config.Config, st model.Store) {
	err := g.makeFirstAdmin(ctx, log, cfg, st)
	if err != nil {
		log.WarnContext(ctx, "no first admin key was made; 'hal9 admin create-key' makes one", slog.String("error", err.Error()))
	}
}

func (g *Globals) makeFirstAdmin(ctx context.Context, log *slog.Logger, cfg *config.Config, st model.Store) error {
	users, err := st.UserList(ctx, model.UserListParams{PageLimit: 1})
	if err != nil {
		return fmt.Errorf("look for users: %w", err)
	}
	if len(users) > 0 {
		return nil
	}
	if cfg.Auth.Mode != config.AuthOpen {
		log.WarnContext(ctx, "there is no user who could come in; 'hal9 admin create-key' makes an admin")
		return nil
	}
	svc, err := auth.New(auth.Config{Store: st})
	if err != nil {
		return fmt.Errorf("open the accounts: %w", err)
	}
	if isTerminal(g.Stdout) {
		key, made, err := svc.FirstAdminKey(ctx)
		if err != nil || !made {
			return err
		}
		return welcomeAdmin(g.Stdout, key)
	}
	// The file first: a key that nobody can read would be lost.
	file, err := os.CreateTemp(keyFolder(cfg), keyFilePattern) // with mode 0600
	if err != nil {
		return fmt.Errorf("make a file for it: %w", err)
	}
	key, made, err := svc.FirstAdminKey(ctx)
	if err != nil || !made {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	_, err = io.WriteString(file, key+"\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write it to %s: %w", file.Name(), err)
	}
	log.InfoContext(ctx, "wrote the first admin's API key to a file; keep the key and remove the file", slog.String("file", file.Name()))
	return nil
}

// keyFolder is where the database lies, or the working directory.
func keyFolder(cfg *config.Config) string {
	folder := "."
	if path, err := dburl.SQLitePath(cfg.Database.URL); err == nil && path != dburl.MemoryPath {
		folder = filepath.Dir(path)
	}
	if absolute, err := filepath.Abs(folder); err == nil {
		return absolute
	}
	return folder
}

func welcomeAdmin(w io.Writer, key string) error {
	_, err := fmt.Fprintf(w, `The first admin's API key, shown this once ('hal9 admin create-key' makes another):

  %s

`, key)
	if err != nil {
		return fmt.Errorf("show it: %w", err)
	}
	return nil
}
