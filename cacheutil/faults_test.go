package cacheutil_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// fault is something that happens to a Valkey.
type fault struct {
	name string
	// inject makes it happen, heal ends it.
	inject, heal func(t *testing.T, v *victim)
	// silent tells that Valkey stops answering, so that the breaker must open.
	silent bool
}

// victim is the Valkey that a fault happens to, behind a proxy.
type victim struct {
	*servers.Node

	proxy    *toxiproxy.Proxy
	password string
}

const rightPassword = "right"

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{Node: testenv.StartCacheNode(t, "--appendfsync", "everysec")}
	v.admin(t, "CONFIG", "SET", "requirepass", rightPassword)
	v.password = rightPassword
	log := zerolog.Nop()
	v.proxy = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), log), "valkey",
		"127.0.0.1:0", net.JoinHostPort("127.0.0.1", strconv.Itoa(v.Port)))
	if err := v.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.proxy.Stop)
	return v
}

// url is that of the proxy.
func (v *victim) url() string { return "redis://:" + rightPassword + "@" + v.proxy.Listen }

// admin sends the server a command past the proxy.
func (v *victim) admin(t *testing.T, command ...string) {
	t.Helper()
	client, err := valkey.NewClient(valkey.ClientOption{
		InitAddress: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(v.Port))},
		Password:    v.password, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).Error(); err != nil {
		t.Fatalf("%v: %v", command, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// faults are those that promises are made for.
func faults() []fault {
	toxic := func(text string) func(*testing.T, *victim) {
		return func(t *testing.T, v *victim) {
			_, err := v.proxy.Toxics.AddToxicJson(strings.NewReader(text))
			must(t, err)
		}
	}
	healToxics := func(t *testing.T, v *victim) { v.proxy.Toxics.ResetToxics(context.WithoutCancel(t.Context())) }
	return []fault{
		{
			name: "killed", silent: true,
			inject: func(t *testing.T, v *victim) { must(t, v.Kill()) },
			heal: func(t *testing.T, v *victim) {
				v.password = ""
				must(t, v.Start(t.Context()))
				v.admin(t, "CONFIG", "SET", "requirepass", rightPassword)
				v.password = rightPassword
			},
		},
		{
			name: "frozen", silent: true,
			inject: func(t *testing.T, v *victim) { must(t, v.Freeze()) },
			heal:   func(t *testing.T, v *victim) { must(t, v.Thaw()) },
		},
		{
			name:   "flushed",
			inject: func(t *testing.T, v *victim) { v.admin(t, "FLUSHALL") },
			heal:   func(*testing.T, *victim) {},
		},
		{
			name: "out of memory",
			inject: func(t *testing.T, v *victim) {
				v.admin(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
				v.admin(t, "CONFIG", "SET", "maxmemory", "1")
			},
			heal: func(t *testing.T, v *victim) { v.admin(t, "CONFIG", "SET", "maxmemory", "0") },
		},
		{
			name:   "read-only",
			inject: func(t *testing.T, v *victim) { v.admin(t, "REPLICAOF", "127.0.0.1", "1") },
			heal:   func(t *testing.T, v *victim) { v.admin(t, "REPLICAOF", "NO", "ONE") },
		},
		{
			name: "slow network", silent: true,
			inject: toxic(`{"name": "slow", "type": "latency", "stream": "downstream", "attributes": {"latency": 300, "jitter": 100}}`),
			heal:   healToxics,
		},
		{
			name: "half-open", silent: true,
			inject: toxic(`{"name": "lost", "type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`),
			heal:   healToxics,
		},
		{
			name: "wrong password",
			inject: func(t *testing.T, v *victim) {
				v.admin(t, "CONFIG", "SET", "requirepass", "another")
				v.password = "another"
				v.admin(t, "CLIENT", "KILL", "TYPE", "normal")
			},
			heal: func(t *testing.T, v *victim) {
				v.admin(t, "CONFIG", "SET", "requirepass", rightPassword)
				v.password = rightPassword
			},
		},
	}
}

// Whatever happens to Valkey, no caller sees an error, no server loses sight of its
// own writes, and afterwards all agree.
func TestFaults(t *testing.T) {
	for _, one := range faults() {
		t.Run(one.name, func(t *testing.T) { t.Log(one.strike(t, 0)) })
	}
}

// strike has the fault happen to a fleet of its own.
func (one fault) strike(t *testing.T, atLeast time.Duration) string {
	t.Helper()
	noLeaks(t)
	v := newVictim(t)
	return strike{
		name: one.name, silent: one.silent, atLeast: atLeast,
		inject: func() { one.inject(t, v) },
		heal:   func() { one.heal(t, v) },
	}.run(t, startFleet(t, v.url()))
}
