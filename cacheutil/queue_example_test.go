package cacheutil_test //nolint:testableexamples // it needs two servers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/cacheutil"
)

type status struct {
	Device  string
	Version int64 // from the sequence that direct writes use as well
	State   string
}

func ExampleQueue() {
	ctx := context.Background()
	var db *pgxpool.Pool
	caches, err := cacheutil.Open(ctx, cacheutil.Config{URL: "redis://localhost:6379", Prefix: "devices:"})
	if err != nil {
		panic(err)
	}
	defer func() { _ = caches.Close() }()
	cache, err := cacheutil.New(caches, cacheutil.Options[status]{
		Name: "status", Strategy: cacheutil.WriteThrough, Version: func(s status) int64 { return s.Version },
	})
	if err != nil {
		panic(err)
	}

	queue, err := cacheutil.NewQueue(caches, cacheutil.QueueOptions[status]{
		Name:    "status",
		Key:     func(s status) string { return s.Device },
		Version: func(s status) int64 { return s.Version },
		Apply: func(ctx context.Context, batch []status) error {
			devices, versions, states := make([]string, len(batch)), make([]int64, len(batch)), make([]string, len(batch))
			for i, s := range batch {
				devices[i], versions[i], states[i] = s.Device, s.Version, s.State
			}
			// Only what is newer, and no row that someone has deleted.
			_, err := db.Exec(ctx, `UPDATE device SET version = new.version, state = new.state
				FROM unnest($1::text[], $2::bigint[], $3::text[]) AS new (id, version, state)
				WHERE device.id = new.id AND device.version < new.version`, devices, versions, states)
			return err
		},
		Refused: func(err error) bool { // SQLSTATE classes 22, data, and 23, constraints
			fault, ok := errors.AsType[*pgconn.PgError](err)
			return ok && (fault.Code[:2] == "22" || fault.Code[:2] == "23")
		},
		OnDeadLetter: func(ctx context.Context, letter cacheutil.DeadLetter) {
			cache.Invalidate(ctx, letter.Key, 0)
		},
	})
	if err != nil {
		panic(err)
	}

	// The server's life: apply until the end, then what is left.
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(running) }()

	// A request.
	s := status{Device: "d1", Version: 42, State: "idle"}
	queued, err := queue.Submit(ctx, s)
	switch {
	case err != nil:
		fmt.Println("the value is at fault:", err)
	case queued:
		cache.Put(ctx, s.Device, s) // the answer is 202: accepted
	default:
		fmt.Println("write it to the database, as without a queue")
	}

	stop()
	if err := <-ended; err != nil {
		fmt.Println(err)
	}
	last, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := queue.Drain(last); err != nil {
		fmt.Println(err) // the rest stays in Valkey
	}
}
