//go:build faults

package cacheutil_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// askNode sends a node a command and returns the answer as text.
func askNode(t *testing.T, node *servers.Node, command ...string) (string, error) {
	t.Helper()
	client, err := valkey.NewClient(valkey.ClientOption{
		InitAddress:  []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(node.Port))},
		DisableCache: true, ForceSingleClient: true, DisableRetry: true,
	})
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.Do(t.Context(), client.B().Arbitrary(command...).Build()).ToString()
}

// promoted waits until one of the nodes is a master.
func promoted(t *testing.T, nodes ...*servers.Node) {
	t.Helper()
	testenv.Eventually(t, "a replica is promoted", func() bool {
		for _, node := range nodes {
			info, err := askNode(t, node, "INFO", "replication")
			if err == nil && strings.Contains(info, "role:master") {
				return true
			}
		}
		return false
	})
}

// TestLongFailovers has masters fail under load, for make cache-topologies.
func TestLongFailovers(t *testing.T) {
	type topology struct {
		name     string
		start    func(testing.TB) *servers.Set
		url      func(*servers.Set) string
		replicas func(*servers.Set) []*servers.Node
		failover func(*testing.T, *servers.Set) error
	}
	for _, kind := range []topology{
		{
			"Sentinel", testenv.StartCacheSentinel, sentinelURL,
			func(set *servers.Set) []*servers.Node { return set.Nodes[1:2] },
			func(t *testing.T, set *servers.Set) error {
				_, err := askNode(t, set.Nodes[2], "SENTINEL", "FAILOVER", servers.SentinelMaster)
				return err
			},
		},
		{
			"cluster", testenv.StartCacheCluster, clusterURL,
			func(set *servers.Set) []*servers.Node { return set.Nodes[3:] },
			func(t *testing.T, set *servers.Set) error {
				_, err := askNode(t, set.Nodes[3], "CLUSTER", "FAILOVER")
				return err
			},
		},
	} {
		for _, how := range []struct {
			name         string
			inject, heal func(t *testing.T, set *servers.Set)
		}{
			{
				"killed", func(t *testing.T, set *servers.Set) { must(t, set.Nodes[0].Kill()) },
				func(t *testing.T, set *servers.Set) { must(t, set.Nodes[0].Start(t.Context())) },
			},
			{
				"frozen", func(t *testing.T, set *servers.Set) { must(t, set.Nodes[0].Freeze()) },
				func(t *testing.T, set *servers.Set) { must(t, set.Nodes[0].Thaw()) },
			},
			{
				"on command", func(t *testing.T, set *servers.Set) { must(t, kind.failover(t, set)) },
				func(*testing.T, *servers.Set) {},
			},
		} {
			t.Run(kind.name+" "+how.name, func(t *testing.T) {
				noLeaks(t)
				set := kind.start(t)
				f := startFleet(t, kind.url(set))
				line := strike{
					name:    kind.name + " " + how.name,
					atLeast: 3 * time.Second,
					// The old master takes writes for a while that nobody else gets.
					forgetful: kind.name == "Sentinel" && how.name == "on command",
					inject:    func() { how.inject(t, set) },
					heal:      func() { promoted(t, kind.replicas(set)...) },
				}.run(t, f)
				fmt.Println(line)
				// The old master comes back, to follow the new one.
				how.heal(t, set)
				f.awaitWhole(t)
				f.awaitInvalidations(t)
			})
		}
	}
}
