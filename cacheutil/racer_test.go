package cacheutil_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/cacheutil"
)

// pairs is how many keys race at once.
const pairs = 20

// settleTime is how long an invalidation may take to arrive on a busy machine. A
// value that is still old then stays: its TTL is an hour.
const settleTime = 3 * time.Second

// racer is one of two processes that race over the same keys. The database is a
// string in the same Valkey, outside the cache's prefix, whose value is its
// version.
type racer struct {
	parity  int
	manager *cacheutil.Manager
	cache   *cacheutil.Cache[int64]
	raw     valkey.Client
}

// command is what a racer is told.
type command struct {
	URL, Prefix string // to begin with

	Version int64 // of this round's writes
	Cold    bool  // the readers have nothing in memory
	Check   bool  // after the round: everything must have this version
}

// report is what a racer answers.
type report struct {
	Reads, Violations int64
	First             string
}

func newRacer(url, prefix string, parity int) (*racer, error) {
	m, err := cacheutil.Open(context.Background(), cacheutil.Config{
		URL: url, Prefix: prefix, CallTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	c, err := cacheutil.New(m, cacheutil.Options[int64]{
		Name: "number", TTL: time.Hour, Strategy: cacheutil.WriteThrough,
		Version: func(v int64) int64 { return v },
	})
	if err != nil {
		return nil, fmt.Errorf("make a cache: %w", err)
	}
	option, err := cacheutil.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	option.DisableCache = true
	raw, err := valkey.NewClient(option)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &racer{parity: parity, manager: m, cache: c, raw: raw}, nil
}

func (r *racer) close() error {
	r.raw.Close()
	return r.manager.Close()
}

func (r *racer) load(key string) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		version, err := r.ask(ctx, "GET", "db:"+key).AsInt64()
		if valkey.IsValkeyNil(err) {
			err = nil
		}
		dawdle(200) // between the load and the store is where stale values come from
		return version, err
	}
}

// ask asks the database, again if a connection is cut.
func (r *racer) ask(ctx context.Context, words ...string) valkey.ValkeyResult {
	for {
		result := r.raw.Do(ctx, r.raw.B().Arbitrary(words...).Build())
		if err := result.NonValkeyError(); err == nil || ctx.Err() != nil || valkey.IsValkeyNil(err) {
			return result
		}
	}
}

// dawdle lets other goroutines run for a random while.
func dawdle(most int) {
	for range rand.IntN(most) {
		runtime.Gosched()
	}
}

// round has this process write some keys and read the others, all at once.
func (r *racer) round(ctx context.Context, version int64) error {
	var all sync.WaitGroup
	errs := make(chan error, 2*pairs)
	for i := range pairs {
		key := "k" + strconv.Itoa(i)
		writer := (int(version)+i)%2 == r.parity
		if writer {
			all.Go(func() {
				dawdle(200)
				errs <- r.write(ctx, key, version, i)
			})
		}
		all.Go(func() {
			for range 3 {
				if _, err := r.cache.Get(ctx, key, r.load(key)); err != nil {
					errs <- err
				}
				dawdle(100)
			}
		})
	}
	go func() {
		all.Wait()
		close(errs)
	}()
	var err error
	for one := range errs {
		err = errors.Join(err, one)
	}
	return err
}

// write commits and tells the cache, in one of its ways.
func (r *racer) write(ctx context.Context, key string, version int64, i int) error {
	err := r.ask(ctx, "SET", "db:"+key, strconv.FormatInt(version, 10)).Error()
	dawdle(100)
	switch (int(version) + i) / 2 % 3 {
	case 0:
		r.cache.Put(ctx, key, version)
	case 1:
		r.cache.Invalidate(ctx, key, version)
	default:
		r.cache.Invalidate(ctx, key, 0)
	}
	return err
}

// check reads until every value is the last one, and reports those that stay old.
func (r *racer) check(ctx context.Context, version int64) (rep report, err error) {
	deadline := time.Now().Add(settleTime)
	for i := range pairs {
		key := "k" + strconv.Itoa(i)
		for {
			rep.Reads++
			old, err := r.old(ctx, key, version)
			if err != nil {
				return rep, err
			}
			if old == "" {
				break
			}
			if time.Now().After(deadline) {
				rep.Violations++
				rep.First = old
				break
			}
			runtime.Gosched()
		}
	}
	return rep, nil
}

// old tells which tier has an older value of the key, if one has.
func (r *racer) old(ctx context.Context, key string, version int64) (string, error) {
	got, err := r.cache.Get(ctx, key, r.load(key))
	if err != nil {
		return "", fmt.Errorf("get %s: %w", key, err)
	}
	if got != version {
		return fmt.Sprintf("%s is %d in process %d, want %d", key, got, r.parity, version), nil
	}
	entry, err := r.manager.Peek(ctx, key)
	if err == nil && entry.Kind == cacheutil.KindValue && string(entry.JSON) != strconv.FormatInt(version, 10) {
		return fmt.Sprintf("%s is %s in Valkey, want %d", key, entry.JSON, version), nil
	}
	return "", nil
}

// race is the other process.
func race(c *conversation) error {
	var first command
	if err := c.in.Decode(&first); err != nil {
		return fmt.Errorf("hear where to race: %w", err)
	}
	r, err := newRacer(first.URL, first.Prefix, 1)
	if err != nil {
		return err
	}
	ctx := context.Background()
	for {
		var next command
		if err := c.in.Decode(&next); err != nil {
			if errors.Is(err, io.EOF) {
				return r.close()
			}
			return fmt.Errorf("hear what to do: %w", err)
		}
		var rep report
		if next.Check {
			rep, err = r.check(ctx, next.Version)
		} else {
			err = r.round(ctx, next.Version)
		}
		if err != nil {
			return err
		}
		if err := c.out.Encode(rep); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
}
