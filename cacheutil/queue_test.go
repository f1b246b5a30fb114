package cacheutil_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

func TestQueueAppliesTheNewestOfEachKey(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	q := newQueue(t, m, db.options("thing"))
	const keys, versions = 20, 10
	for k := range keys {
		db.insert(t, fmt.Sprint("k", k))
	}
	// The versions of a key arrive in no order.
	for i := range versions {
		for k := range keys {
			version := int64(2 + (i*7+k)%versions)
			submit(t, q, thing{fmt.Sprint("k", k), version, fmt.Sprint("v", version)})
		}
	}
	if s := q.Stats(t.Context()); !s.Known || s.Depth != keys*versions || s.Bytes == 0 || s.Submitted != keys*versions {
		t.Errorf("before Run: %+v", s)
	}
	run(t, q)
	left(t, q, keys*versions)

	for key, row := range db.all(t) {
		if want := (thing{key, versions + 1, fmt.Sprint("v", versions+1)}); row != want {
			t.Errorf("got %v, want %v", row, want)
		}
	}
	s := q.Stats(t.Context())
	if s.Applied != keys*versions || s.Coalesced != keys*versions-db.delivered.Load() || s.Bytes != 0 {
		t.Errorf("after Run, with %d values delivered: %+v", db.delivered.Load(), s)
	}
	if db.delivered.Load() > keys*2 {
		t.Errorf("%d values were applied for %d keys: versions of one key in a batch are one value", db.delivered.Load(), keys)
	}
}

func TestQueueRefusesWhenFull(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))

	for name, change := range map[string]func(*cacheutil.QueueOptions[thing]){
		"entries": func(o *cacheutil.QueueOptions[thing]) { o.MaxLen = 50 },
		"bytes":   func(o *cacheutil.QueueOptions[thing]) { o.MaxBytes = 50 * 1_000 },
	} {
		t.Run(name, func(t *testing.T) {
			options := db.options(name)
			change(&options)
			q := newQueue(t, m, options)
			var queued atomic.Int64
			var callers sync.WaitGroup
			for caller := range 8 {
				callers.Go(func() {
					for i := range 25 {
						ok, err := q.Submit(t.Context(), thing{fmt.Sprintf("%s-%d-%d", name, caller, i), 2, strings.Repeat("x", 1_000)})
						if err != nil {
							t.Error(err)
						}
						if ok {
							queued.Add(1)
						}
					}
				})
			}
			callers.Wait()
			s := q.Stats(t.Context())
			if queued.Load() > 50 || queued.Load() < 40 || s.Depth != queued.Load() {
				t.Errorf("%d of 200 values were queued, and %d are in the stream; want about 50", queued.Load(), s.Depth)
			}
			if s.Refused["full"] != 200-queued.Load() {
				t.Errorf("%d were refused because the queue is full, want %d", s.Refused["full"], 200-queued.Load())
			}
			// None of those accepted was trimmed, and there is room again.
			run(t, q)
			empty(t, q)
			left(t, q, queued.Load())
			submit(t, q, thing{"again", 2, ""})
		})
	}
}

func TestQueueSubmitFallsBack(t *testing.T) {
	db := createThings(t)
	node := testenv.StartCacheNode(t)
	m := openManager(t, node.URL())
	q := newQueue(t, m, db.options("thing"))
	submit(t, q, thing{"k", 2, ""})

	refuses := func(t *testing.T, reasons ...string) {
		t.Helper()
		before := q.Stats(t.Context()).Refused
		began := time.Now()
		queued, err := q.Submit(t.Context(), thing{"k", 3, ""})
		if queued || err != nil {
			t.Fatalf("Submit = %v, %v; want false and no error", queued, err)
		}
		// The budget is 500 ms; a busy machine gets more.
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the answer took %v", took)
		}
		after := q.Stats(t.Context()).Refused
		for _, reason := range reasons {
			if after[reason] == before[reason]+1 {
				return
			}
		}
		t.Errorf("it was counted neither of %v: %v", reasons, after)
	}
	t.Run("out of memory", func(t *testing.T) {
		do(t, m, "CONFIG", "SET", "maxmemory-policy", "noeviction")
		do(t, m, "CONFIG", "SET", "maxmemory", "1")
		refuses(t, "out_of_memory")
		// What is queued can be applied, which frees memory.
		if err := q.Drain(soon(t)); err != nil {
			t.Error(err)
		}
		if s := q.Stats(t.Context()); s.Depth != 0 {
			t.Errorf("%d entries are left", s.Depth)
		}
		do(t, m, "CONFIG", "SET", "maxmemory", "0")
		submit(t, q, thing{"k", 4, ""})
	})
	t.Run("read-only", func(t *testing.T) {
		do(t, m, "CONFIG", "SET", "replica-serve-stale-data", "yes")
		do(t, m, "REPLICAOF", "127.0.0.1", "1")
		refuses(t, "read_only")
		do(t, m, "REPLICAOF", "NO", "ONE")
		submit(t, q, thing{"k", 5, ""})
	})
	t.Run("frozen", func(t *testing.T) {
		if err := node.Freeze(); err != nil {
			t.Fatal(err)
		}
		refuses(t, "timeout", "away")
		if err := node.Thaw(); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, "values are queued again", func() bool {
			queued, _ := q.Submit(t.Context(), thing{"k", 6, ""})
			return queued
		})
	})
	t.Run("killed", func(t *testing.T) {
		if err := node.Kill(); err != nil {
			t.Fatal(err)
		}
		refuses(t, "away", "timeout")
	})
}

// What the caller gets wrong is an error, what Valkey gets wrong is not.
func TestQueueSubmitErrors(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	options := db.options("thing")
	q := newQueue(t, m, options)
	for _, v := range []thing{{"", 1, ""}, {"k", 0, ""}, {"k", -1, ""}} {
		if queued, err := q.Submit(t.Context(), v); queued || err == nil {
			t.Errorf("Submit(%v) = %v, %v; want an error", v, queued, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if queued, err := q.Submit(ctx, thing{"k", 1, ""}); queued || !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v, %v", queued, err)
	}
	for name, change := range map[string]func(*cacheutil.QueueOptions[thing]){
		"Name":         func(o *cacheutil.QueueOptions[thing]) { o.Name = "" },
		"Key":          func(o *cacheutil.QueueOptions[thing]) { o.Key = nil },
		"Version":      func(o *cacheutil.QueueOptions[thing]) { o.Version = nil },
		"Apply":        func(o *cacheutil.QueueOptions[thing]) { o.Apply = nil },
		"negative":     func(o *cacheutil.QueueOptions[thing]) { o.MaxLen = -1 },
		"ApplyTimeout": func(o *cacheutil.QueueOptions[thing]) { o.ApplyTimeout, o.ClaimAfter = time.Minute, time.Second },
	} {
		broken := options
		change(&broken)
		if _, err := cacheutil.NewQueue(m.Manager, broken); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A value is queued, Valkey dies, a newer value is written directly, and Valkey
// comes back with what it had: the newer value stays.
func TestQueueReplayDoesNotUndoLaterWrites(t *testing.T) {
	db := createThings(t)
	db.insert(t, "overtaken", "waiting", "deleted")
	node := testenv.StartCacheNode(t)
	m := openManager(t, node.URL())
	q := newQueue(t, m, db.options("thing"))
	submit(t, q, thing{"overtaken", 2, "queued"}, thing{"waiting", 5, "queued"}, thing{"deleted", 2, "queued"})

	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	// Callers are told to write through, and do.
	if queued, err := q.Submit(t.Context(), thing{"overtaken", 3, "direct"}); queued || err != nil {
		t.Fatalf("Submit without Valkey = %v, %v", queued, err)
	}
	db.exec(t, `UPDATE things SET version = 3, body = 'direct' WHERE key IN ('overtaken', 'waiting')`)
	db.exec(t, `DELETE FROM things WHERE key = 'deleted'`)

	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, q)
	testenv.Eventually(t, "the old values are replayed", func() bool { return q.Stats(t.Context()).Applied == 3 })
	rows := db.all(t)
	if got, want := rows["overtaken"], (thing{"overtaken", 3, "direct"}); got != want {
		t.Errorf("got %v, want the later write %v", got, want)
	}
	if got, want := rows["waiting"], (thing{"waiting", 5, "queued"}); got != want {
		t.Errorf("got %v, want the queued value %v, which is newer", got, want)
	}
	if row, ok := rows["deleted"]; ok {
		t.Errorf("the replay has revived %v", row)
	}
}

// After a restore versions are given again: what was queued before does not count.
func TestQueueForgetsEarlierEpochs(t *testing.T) {
	db := createThings(t)
	db.insert(t, "k", "l")
	before := openManager(t, testenv.CacheURL(t), func(c *cacheutil.Config) { c.Epoch = 1 })
	after := openManager(t, testenv.CacheURL(t), func(c *cacheutil.Config) { c.Epoch, c.Prefix = 2, before.prefix })
	old, current := newQueue(t, before, db.options("thing")), newQueue(t, after, db.options("thing"))
	submit(t, old, thing{"k", 90, "before"})
	submit(t, current, thing{"k", 10, "after"}, thing{"l", 11, "after"})
	if err := current.Drain(soon(t)); err != nil {
		t.Fatal(err)
	}
	if rows := db.all(t); rows["k"].Version != 10 || rows["l"].Version != 11 {
		t.Errorf("the rows are %v", rows)
	}
	letters, err := current.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Reason, "epoch 1") {
		t.Errorf("the dead letters are %v, %v", letters, err)
	}
	// A process that has not heard of the restore yet does not judge.
	submit(t, current, thing{"l", 12, "after"})
	if err := old.Drain(soon(t)); err != nil {
		t.Fatal(err)
	}
	if rows := db.all(t); rows["l"].Version != 12 {
		t.Errorf("the rows are %v", rows)
	}
}

// A Valkey that would lose what is queued is told of.
func TestQueueWarnsOfAValkeyThatForgets(t *testing.T) {
	db := createThings(t)
	for name, test := range map[string]struct {
		arguments []string
		want      []string
	}{
		"keeps":   {[]string{"--maxmemory-policy", "noeviction"}, nil},
		"evicts":  {[]string{"--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb"}, []string{"evict"}},
		"forgets": {[]string{"--appendonly", "no"}, []string{"appendonly"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			m := openManager(t, testenv.StartCacheNode(t, test.arguments...).URL(), func(c *cacheutil.Config) {
				c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			})
			q := newQueue(t, m, db.options("thing"))
			if err := q.Drain(soon(t)); err != nil {
				t.Fatal(err)
			}
			_ = m.Close()
			if got := strings.Count(log.String(), "\n"); got != len(test.want) {
				t.Errorf("%d warnings, want %d:\n%s", got, len(test.want), &log)
			}
			for _, want := range test.want {
				if !strings.Contains(log.String(), want) {
					t.Errorf("there is no %q in:\n%s", want, &log)
				}
			}
		})
	}
}

func TestQueueMetrics(t *testing.T) {
	var text strings.Builder
	cacheutil.WriteQueueMetrics(&text, "hal9_cache_",
		cacheutil.QueueStats{
			Name: `a"b`, Known: true, Depth: 3, OldestAge: 1500 * time.Millisecond, DeadLetters: 2,
			Submitted: 7, Refused: map[string]int64{"full": 4}, Applied: 5,
		},
		cacheutil.QueueStats{Name: "unknown"})
	for _, want := range []string{
		"# TYPE hal9_cache_queue_depth gauge\nhal9_cache_queue_depth{entity=\"a\\\"b\"} 3\n# HELP",
		"hal9_cache_queue_oldest_age_seconds{entity=\"a\\\"b\"} 1.5\n",
		"# TYPE hal9_cache_queue_refused_total counter\n",
		"hal9_cache_queue_refused_total{entity=\"a\\\"b\",reason=\"full\"} 4\n",
		"hal9_cache_queue_submitted_total{entity=\"unknown\"} 0\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("there is no %q in:\n%s", want, &text)
		}
	}
}
