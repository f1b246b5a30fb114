package cacheutil_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// standBy is a process that has a cache and does nothing, until its input ends.
func standBy(c *conversation) error {
	var cfg cacheutil.Config
	if err := c.in.Decode(&cfg.URL); err != nil {
		return fmt.Errorf("hear where the cache is: %w", err)
	}
	cfg.Prefix, cfg.CallTimeout, cfg.Logger = "pair:", patience, slog.New(slog.DiscardHandler)
	m, err := cacheutil.Open(context.Background(), cfg)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := c.out.Encode(m.State().Valkey); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	for c.in.Decode(&cfg.URL) == nil { // that there is more says nothing
	}
	return m.Close()
}

// standByProcess starts one and waits until it is noted.
func (p *pair) standByProcess() *conversation {
	p.t.Helper()
	before := p.noted()
	c := startProcess(p.t, "stand-by")
	c.tell(p.t, p.server.URL())
	var state string
	c.hear(p.t, &state)
	testenv.Eventually(p.t, "the process is noted", func() bool { return p.noted() == before+1 })
	return c
}

// notedKey holds the processes that are there.
const notedKey = "pair:p:{era}"

// noted is how many they are.
func (p *pair) noted() int {
	p.t.Helper()
	fields, err := p.raw.Do(p.t.Context(), p.raw.B().Hlen().Key(notedKey).Build()).AsInt64()
	if err != nil {
		p.t.Fatal(err)
	}
	return int(fields) - 2 // the clock, and when it was set
}

// clock returns a field of it.
func (p *pair) clock(field string) int64 {
	p.t.Helper()
	at, err := p.raw.Do(p.t.Context(), p.raw.B().Hget().Key(notedKey).Field(field).Build()).AsInt64()
	if err != nil {
		p.t.Fatal(err)
	}
	return at
}

func (p *pair) era() string {
	p.t.Helper()
	era, err := p.raw.Do(p.t.Context(), p.raw.B().Get().Key("pair:e:{era}").Build()).ToString()
	if err != nil {
		p.t.Fatal(err)
	}
	return era
}

// A process that is killed between its commit and its invalidation leaves nothing stale.
func TestProcessKilledBeforeItsInvalidation(t *testing.T) {
	t.Parallel()
	p := newPair(t, cacheutil.Config{})
	third := p.standByProcess()
	p.warm("key")
	p.write("new") // which the third tells nobody
	third.kill()
	for _, c := range []*cacheutil.Cache[string]{p.a, p.b} {
		testenv.Eventually(t, "the killed process's write to be read", func() bool { return p.get(c, "key") == "new" })
	}
	if got := p.noted(); got != 2 {
		t.Errorf("%d processes are noted, with two left", got)
	}
}

// Who ends in order, having told everything, costs nobody what is cached.
func TestProcessThatEnds(t *testing.T) {
	t.Parallel()
	p := newPair(t, cacheutil.Config{})
	third := p.standByProcess()
	era := p.era()
	testenv.Eventually(t, "a process to count the two others", func() bool {
		others, err := p.ma.Others(t.Context())
		return err == nil && others == 2
	})
	third.end()
	testenv.Eventually(t, "the process takes its leave", func() bool { return p.noted() == 2 })
	if p.era() != era {
		t.Error("another era began")
	}
}

// A time in which nobody was heard, since Valkey itself stood still, is nobody's silence.
func TestValkeyStoodStill(t *testing.T) {
	t.Parallel()
	p := newPair(t, cacheutil.Config{})
	era, before := p.era(), p.clock("c")
	const away = time.Hour
	ask(t, p.raw, "HINCRBY", notedKey, "t", strconv.FormatInt(-away.Milliseconds(), 10))
	testenv.Eventually(t, "both are heard again", func() bool { return p.clock("c") >= before+3000 })
	if p.era() != era {
		t.Error("another era began")
	}
	if got := p.clock("c") - before; got >= away.Milliseconds() {
		t.Errorf("the clock went on by %d ms", got)
	}
	if got := p.noted(); got != 2 {
		t.Errorf("%d processes are noted, and two are there", got)
	}
}

// When memory is full, processes are noted all the same.
func TestPresenceWithoutMemory(t *testing.T) {
	t.Parallel()
	p := newPair(t, cacheutil.Config{})
	ask(t, p.raw, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	ask(t, p.raw, "CONFIG", "SET", "maxmemory", "1")
	ask(t, p.raw, "DEL", notedKey)
	testenv.Eventually(t, "both are noted", func() bool { return p.noted() == 2 })
}
