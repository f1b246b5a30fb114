package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/bench/ledger"
)

// killServer kills the server at random moments and starts it again on the same data.
func killServer(newDatabase func(context.Context, string) (database, error)) func(context.Context, options, *Row) error {
	return func(ctx context.Context, o options, r *Row) (err error) {
		s, err := open(ctx, o, newDatabase)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		if err := s.serve(ctx); err != nil {
			return err
		}
		if err := s.startLoad(ctx, ledger.Load{Workers: everything()}); err != nil {
			return err
		}
		started := time.Now()
		for n := range r.Trials {
			recovered, err := s.recovery(ctx, started)
			if err != nil {
				return fmt.Errorf("after kill %d: %w", n, err)
			}
			if n > 0 {
				r.recovered(recovered)
			}
			if started, err = s.killOnce(ctx, r); err != nil {
				return fmt.Errorf("kill %d: %w", n+1, err)
			}
		}
		recovered, err := s.recovery(ctx, started)
		if err != nil {
			return fmt.Errorf("after the last kill: %w", err)
		}
		r.recovered(recovered)
		if err := s.finish(ctx, r); err != nil {
			return err
		}
		if s.db.engine() == "SQLite" {
			r.notef("the file was whole after each of %d kills: integrity_check, foreign_key_check, the full-text index", r.Trials)
		}
		return nil
	}
}

// killOnce kills the server at a random moment, looks at what it leaves, and starts it again.
func (s *site) killOnce(ctx context.Context, r *Row) (started time.Time, err error) {
	if err := atRandom(ctx, 50*time.Millisecond, 1200*time.Millisecond); err != nil {
		return started, err
	}
	if err := s.killAndLook(ctx, r); err != nil {
		return started, err
	}
	started = time.Now()
	return started, s.serve(ctx)
}

// killAndLook kills the server and looks at what it leaves.
func (s *site) killAndLook(ctx context.Context, r *Row) error {
	if err := s.server.Kill(); err != nil {
		return err
	}
	if err := s.db.check(ctx); err != nil {
		return err
	}
	// States are overwritten: what is lost of them shows now, or never.
	a, err := s.account(ctx)
	if err != nil {
		return err
	}
	if a.Lost > 0 {
		r.breaksf("after a kill %d that were acknowledged were lost: %s", a.Lost, strings.Join(a.Missing, ", "))
	}
	return nil
}

// killPostgres kills PostgreSQL with all its processes at random moments, and starts it
// again; the server is left alone.
func killPostgres(ctx context.Context, o options, r *Row) (err error) {
	s, err := open(ctx, o, newPostgres)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	node := s.db.(*postgres).node //nolint:forcetypeassert // it is what newPostgres makes
	if err := s.serve(ctx); err != nil {
		return err
	}
	pid := s.server.PID()
	if err := s.startLoad(ctx, ledger.Load{Workers: everything()}); err != nil {
		return err
	}
	if _, err := s.recovery(ctx, s.begin); err != nil {
		return err
	}
	for n := range r.Trials {
		if err := atRandom(ctx, 200*time.Millisecond, 1500*time.Millisecond); err != nil {
			return err
		}
		if err := node.Crash(); err != nil {
			return err
		}
		if err := atRandom(ctx, 0, time.Second); err != nil {
			return err
		}
		started := time.Now()
		if err := node.Start(ctx); err != nil {
			return err
		}
		recovered, err := s.recovery(ctx, started)
		if err != nil {
			return fmt.Errorf("after kill %d: %w", n+1, err)
		}
		r.recovered(recovered)
		if err := s.db.check(ctx); err != nil {
			return err
		}
	}
	if err := s.finish(ctx, r); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil || s.server.PID() != pid {
		return fmt.Errorf("the server did not recover by itself: %w", err)
	}
	r.notef("fsync, synchronous_commit and full_page_writes were on; the server was not touched")
	return nil
}
