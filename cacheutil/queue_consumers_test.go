package cacheutil_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// The environment of TestQueueHelperProcess.
const (
	helperVariable   = "CACHEUTIL_TEST_QUEUE_HELPER"
	helperCache      = "CACHEUTIL_TEST_CACHE"
	helperDatabase   = "CACHEUTIL_TEST_DATABASE"
	helperPrefix     = "CACHEUTIL_TEST_PREFIX"
	helperStuck      = "stuck"
	helperSubmitting = "submitting"
)

// TestQueueHelperProcess is no test: it is what startHelper runs. It consumes the
// queue until its input ends; one that is stuck never returns from Apply after the
// commit.
func TestQueueHelperProcess(t *testing.T) {
	kind := os.Getenv(helperVariable)
	if kind == "" {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, err := openQueues(ctx, os.Getenv(helperCache), os.Getenv(helperPrefix))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	pool, err := pgxpool.New(ctx, os.Getenv(helperDatabase))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	db := &things{pool: pool}
	options := db.options("thing")
	options.ClaimAfter = options.ApplyTimeout
	options.Apply = func(ctx context.Context, batch []thing) error {
		if err := db.Apply(ctx, batch); err != nil {
			return err
		}
		fmt.Println("committed", len(batch))
		if kind == helperStuck {
			select {} // until it is killed
		}
		return nil
	}
	q := newQueue(t, m, options)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if kind == helperSubmitting {
		for i := range 300 {
			v := thing{fmt.Sprint("k", i%50), int64(2 + i), strconv.Itoa(os.Getpid())}
			if queued, err := q.Submit(ctx, v); !queued {
				t.Errorf("Submit = %v, %v", queued, err)
			}
		}
		fmt.Println("submitted")
	}
	if err := q.Run(ctx); err != nil {
		t.Error(err)
	}
}

type helper struct {
	*exec.Cmd

	lines *bufio.Scanner
	input io.Closer
}

// startHelper starts another process on the same queue. It ends with the test.
func startHelper(t *testing.T, kind, cache, prefix string, db *things) *helper {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestQueueHelperProcess$")
	cmd.Env = append(os.Environ(), helperVariable+"="+kind, helperCache+"="+cache,
		helperDatabase+"="+db.pool.Config().ConnString(), helperPrefix+"="+prefix)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &helper{Cmd: cmd, lines: bufio.NewScanner(output), input: input}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait()
	})
	return h
}

// await reads the helper's output up to a line that begins with the text.
func (h *helper) await(t *testing.T, text string) {
	t.Helper()
	for h.lines.Scan() {
		if strings.HasPrefix(h.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the helper never said %q: %v", text, h.lines.Err())
}

// A process is killed by SIGKILL after the commit and before the acknowledgement:
// another one takes its entries over and applies them again, to no effect.
func TestQueueSurvivesKilledConsumer(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	options := db.options("thing")
	options.ApplyTimeout, options.ClaimAfter = 200*time.Millisecond, 200*time.Millisecond
	q := newQueue(t, m, options)
	db.insert(t, "a", "b")
	submit(t, q, thing{"a", 2, "queued"}, thing{"b", 2, "queued"})

	h := startHelper(t, helperStuck, testenv.CacheURL(t), m.prefix, db)
	h.await(t, "committed")
	if err := h.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.Wait()
	if s := q.Stats(t.Context()); s.Depth != 2 {
		t.Fatalf("%d entries are queued, want both that were not acknowledged", s.Depth)
	}
	// A later write comes before the second application.
	db.exec(t, `UPDATE things SET version = 3, body = 'direct' WHERE key = 'a'`)

	run(t, q)
	empty(t, q)
	if got := db.delivered.Load(); got < 2 {
		t.Errorf("%d values were taken over, want both", got)
	}
	rows := db.all(t)
	if rows["a"].Body != "direct" || rows["b"].Version != 2 {
		t.Errorf("the rows are %v", rows)
	}
}

// Several processes submit to one stream and consume it: every key ends with its
// newest value.
func TestQueueSharedByProcesses(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	q := newQueue(t, m, db.options("thing"))
	for k := range 50 {
		db.insert(t, fmt.Sprint("k", k))
	}
	helpers := make([]*helper, 3)
	for i := range helpers {
		helpers[i] = startHelper(t, helperSubmitting, testenv.CacheURL(t), m.prefix, db)
	}
	stop := run(t, q)
	for _, h := range helpers {
		h.await(t, "submitted")
	}
	empty(t, q)
	for key, row := range db.all(t) {
		var k int64
		if _, err := fmt.Sscanf(key, "k%d", &k); err != nil {
			t.Fatal(err)
		}
		if row.Version != 252+k {
			t.Errorf("%v, want version %d", row, 252+k)
		}
	}
	// Whoever leaves in good order leaves no consumer behind.
	for _, h := range helpers {
		_ = h.input.Close()
		if err := h.Wait(); err != nil {
			t.Errorf("a helper: %v", err)
		}
	}
	stop()
	if consumers, err := do(t, m, "XINFO", "CONSUMERS", m.stream(), "appliers").ToArray(); err != nil || len(consumers) != 0 {
		t.Errorf("%d consumers are left, %v", len(consumers), err)
	}
}

func TestQueueDrain(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	options := db.options("thing")
	options.Batch = 10
	q := newQueue(t, m, options)
	if err := q.Drain(soon(t)); err != nil {
		t.Errorf("drain an empty queue: %v", err)
	}
	var keys []string
	for i := range 95 {
		keys = append(keys, fmt.Sprint("k", i))
		submit(t, q, thing{keys[i], 2, "queued"})
	}
	db.insert(t, keys...)

	// The database is away: the deadline ends it, and nothing is lost.
	db.away.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := q.Drain(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "95 entries are left") {
		t.Errorf("drain without a database: %v", err)
	}
	if s := q.Stats(t.Context()); s.Depth != 95 {
		t.Errorf("%d entries are left, want 95", s.Depth)
	}

	// What the first one had in hand is free at once for the next.
	db.away.Store(false)
	if err := q.Drain(soon(t)); err != nil {
		t.Fatal(err)
	}
	if s := q.Stats(t.Context()); s.Depth != 0 || s.Applied != 95 {
		t.Errorf("after draining: %+v", s)
	}
}

// A shutdown does not break off a commit, and what was committed is acknowledged.
func TestQueueRunEndsAfterTheBatchInHand(t *testing.T) {
	db := createThings(t)
	db.insert(t, "k")
	m := openManager(t, testenv.CacheURL(t))
	options := db.options("thing")
	entered, goOn := make(chan struct{}), make(chan struct{})
	var broken atomic.Bool
	options.Apply = func(ctx context.Context, batch []thing) error {
		close(entered)
		<-goOn
		broken.Store(ctx.Err() != nil)
		return db.Apply(ctx, batch)
	}
	q := newQueue(t, m, options)
	submit(t, q, thing{"k", 2, "queued"})

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	<-entered
	cancel()
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if broken.Load() {
		t.Error("the end of Run has ended the context of Apply")
	}
	if s := q.Stats(t.Context()); s.Depth != 0 || db.all(t)["k"].Version != 2 {
		t.Errorf("the batch in hand was not finished: %+v", s)
	}
}

// Valkey loses its data under a consumer: it goes on with what comes later.
func TestQueueSurvivesFlush(t *testing.T) {
	db := createThings(t)
	db.insert(t, "k")
	m := openManager(t, testenv.StartCacheNode(t).URL())
	q := newQueue(t, m, db.options("thing"))
	run(t, q)
	submit(t, q, thing{"k", 2, ""})
	empty(t, q)
	do(t, m, "FLUSHALL")
	submit(t, q, thing{"k", 3, ""})
	testenv.Eventually(t, "the value is applied", func() bool { return db.all(t)["k"].Version == 3 })
}

// Consumers of processes that were killed are forgotten, but none that still holds
// entries is: they would be lost.
func TestQueueForgetsDeadConsumers(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	options := db.options("thing")
	options.ApplyTimeout, options.ClaimAfter, options.Batch = time.Millisecond, time.Millisecond, 1
	options.Apply = func(ctx context.Context, batch []thing) error { return db.Apply(context.WithoutCancel(ctx), batch) }
	q := newQueue(t, m, options)
	for i := range 5 {
		key := fmt.Sprint("k", i)
		db.insert(t, key)
		submit(t, q, thing{key, 2, "queued"})
	}
	stream := m.stream()
	do(t, m, "XGROUP", "CREATECONSUMER", stream, "appliers", "idle")
	do(t, m, "XREADGROUP", "GROUP", "appliers", "holding", "STREAMS", stream, ">")
	consumers := func() (names []string, idle int64) {
		list, err := do(t, m, "XINFO", "CONSUMERS", stream, "appliers").ToArray()
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			fields, err := one.AsMap()
			if err != nil {
				t.Fatal(err)
			}
			name, ms := fields["name"], fields["idle"]
			text, _ := name.ToString()
			names = append(names, text)
			n, _ := ms.AsInt64()
			idle = max(idle, n)
		}
		return names, idle
	}
	testenv.Eventually(t, "both look dead", func() bool {
		_, idle := consumers()
		return idle > 50
	})
	run(t, q)
	empty(t, q)
	testenv.Eventually(t, "both are forgotten", func() bool {
		names, _ := consumers()
		return len(names) == 1 && names[0] != "idle" && names[0] != "holding"
	})
	for key, row := range db.all(t) {
		if row.Version != 2 {
			t.Errorf("the value of %s that a dead consumer held is lost", key)
		}
	}
}

// A queue can have a Valkey of its own beside the cache's, and waits for one that
// is not there yet.
func TestQueueWithItsOwnValkey(t *testing.T) {
	db := createThings(t)
	db.insert(t, "k")
	m := openManager(t, "")
	option, err := cacheutil.ParseURL(testenv.CacheURL(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := valkey.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var there atomic.Bool
	options := db.options("thing")
	options.Client = func() valkey.Client {
		if there.Load() {
			return client
		}
		return nil
	}
	q := newQueue(t, m, options)
	stop := run(t, q)
	defer stop()
	if queued, err := q.Submit(t.Context(), thing{"k", 2, ""}); queued || err != nil {
		t.Errorf("Submit without Valkey = %v, %v", queued, err)
	}
	if s := q.Stats(t.Context()); s.Known || s.Refused["away"] != 1 {
		t.Errorf("without Valkey: %+v", s)
	}
	there.Store(true)
	submit(t, q, thing{"k", 3, ""})
	left(t, q, 1)
	if db.all(t)["k"].Version != 3 {
		t.Error("the value was not applied")
	}
	var text strings.Builder
	m.WritePrometheus(&text)
	if !strings.Contains(text.String(), `cache_queue_applied_total{entity="thing"} 1`) {
		t.Errorf("the manager's metrics do not have the queue's:\n%s", &text)
	}
}
