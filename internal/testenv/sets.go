package testenv

import (
	"context"
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// StartCacheNode starts a Valkey or Redis of the test's own that can be killed and
// started again with its data: it syncs an append-only file before it answers.
// Further arguments are added to its command line.
func StartCacheNode(tb testing.TB, arguments ...string) *servers.Node {
	tb.Helper()
	return startSet(tb, func(ctx context.Context) (*servers.Set, error) {
		return servers.StartCacheNode(ctx, arguments...)
	}).Nodes[0]
}

func startSet(tb testing.TB, start func(context.Context) (*servers.Set, error)) *servers.Set {
	tb.Helper()
	set, err := start(tb.Context())
	if err != nil {
		tb.Fatalf("testenv: %v", explain(err))
	}
	tb.Cleanup(func() {
		if err := set.Stop(); err != nil {
			tb.Errorf("testenv: %v", err)
		}
	})
	return set
}

// StartCacheCluster starts a cluster of the test's own: three masters, then a
// replica of each.
func StartCacheCluster(tb testing.TB) *servers.Set {
	tb.Helper()
	return startSet(tb, servers.StartCacheCluster)
}

// StartCacheSentinel starts, for the test alone, a master, a replica and three
// Sentinels that know the master as servers.SentinelMaster.
func StartCacheSentinel(tb testing.TB) *servers.Set {
	tb.Helper()
	return startSet(tb, servers.StartCacheSentinel)
}

// StartCacheTLS starts a Valkey or Redis of the test's own that asks for TLS, a
// client's certificate and a password.
func StartCacheTLS(tb testing.TB) *servers.Set {
	tb.Helper()
	return startSet(tb, servers.StartCacheTLS)
}

// StartReplication starts, for the test alone, a PostgreSQL and a streaming replica of it.
func StartReplication(tb testing.TB) *servers.Replication {
	tb.Helper()
	r, err := servers.StartReplication(tb.Context())
	if err != nil {
		tb.Fatalf("testenv: %v", explain(err))
	}
	tb.Cleanup(func() {
		if err := r.Stop(); err != nil {
			tb.Errorf("testenv: %v", err)
		}
	})
	return r
}
