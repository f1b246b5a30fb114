package cacheutil_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// addresses is a URL of several nodes.
func addresses(nodes []*servers.Node, parameters string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "redis://127.0.0.1:%d?%s", nodes[0].Port, parameters)
	for _, node := range nodes[1:] {
		b.WriteString("&addr=" + url.QueryEscape("127.0.0.1:"+strconv.Itoa(node.Port)))
	}
	return b.String()
}

func clusterURL(set *servers.Set) string { return addresses(set.Nodes, "cluster=true") }

func sentinelURL(set *servers.Set) string {
	return addresses(set.Nodes[2:], "master_set="+servers.SentinelMaster)
}

// exercise has two servers share values, invalidate each other's and queue writes.
func exercise(t *testing.T, db *things, url string) {
	t.Helper()
	noLeaks(t)
	f := startFleet(t, url)
	f.awaitGets(t, 300)
	testenv.Eventually(t, "every server uses both tiers", func() bool {
		for _, s := range f.servers {
			if stats := s.manager.Stats()[0]; stats.HitsLocal == 0 || stats.HitsRemote == 0 {
				return false
			}
		}
		return true
	})
	f.awaitCoherence(t)
	f.awaitInvalidations(t)
	f.requireFaultless(t)

	m := openManager(t, url)
	q := newQueue(t, m, db.options("thing"))
	key := t.Name()
	db.insert(t, key)
	for i := range 10 {
		submit(t, q, thing{key, int64(2 + i), "queued"})
	}
	run(t, q)
	left(t, q, 10)
	if got := db.all(t)[key]; got.Version != 11 {
		t.Errorf("the queue has left %v", got)
	}
}

func TestTopologies(t *testing.T) {
	db := createThings(t)
	t.Run("password", func(t *testing.T) {
		// These rights are enough, as docs/cache.md says.
		node := testenv.StartCacheNode(t, "--user", "app", "on", ">p@ss/word", "resetchannels",
			"~fleet:*", "~{fleet:*", "~"+t.Name()+"*", "~{"+t.Name()+"*",
			"+@all", "-@admin", "-@dangerous", "+info", "+role", "+client|tracking")
		exercise(t, db, fmt.Sprintf("valkey://app:%s@127.0.0.1:%d/0", url.QueryEscape("p@ss/word"), node.Port))
	})
	t.Run("TLS", func(t *testing.T) { exercise(t, db, testenv.StartCacheTLS(t).Nodes[0].URL()) })
	t.Run("Sentinel", func(t *testing.T) { exercise(t, db, sentinelURL(testenv.StartCacheSentinel(t))) })
	t.Run("cluster", func(t *testing.T) { exercise(t, db, clusterURL(testenv.StartCacheCluster(t))) })
}

// A server that does not let us in is a server that is away: reads go on.
func TestTopologiesNotLetIn(t *testing.T) {
	set := testenv.StartCacheTLS(t)
	other := testenv.StartCacheTLS(t)
	good := set.Nodes[0].URL()
	bare, _, _ := strings.Cut(good, "?")
	for name, bad := range map[string]struct{ url, why string }{
		"another authority":     {strings.ReplaceAll(good, url.QueryEscape(set.Dir()), url.QueryEscape(other.Dir())), "an authority that is not known here: name its file by tls_ca"},
		"no client certificate": {bare + "?tls_ca=" + url.QueryEscape(filepath.Join(set.Dir(), servers.TLSAuthority)), "certificate"},
		"machine's authorities": {bare, "an authority that is not known here: name its file by tls_ca"},
		"another name":          {good + "&tls_server_name=example.org", "for another name than the URL's host"},
		"no TLS":                {fmt.Sprintf("redis://127.0.0.1:%d", set.Nodes[0].Port), "the connection was closed: is it Valkey"},
		"wrong password":        {strings.Replace(good, url.QueryEscape(servers.TLSPassword), "wrong", 1), "the user or the password was refused"},
	} {
		t.Run(name, func(t *testing.T) {
			m := openManager(t, bad.url)
			if state := m.State(); state.Valkey != "down" {
				t.Errorf("the state is %+v", state)
			}
			// A busy machine may not have answered in time at first.
			testenv.EventuallyOr(t, func() string { return bad.why + ", not " + m.State().Why }, func() bool { return strings.Contains(m.State().Why, bad.why) })
			c, err := cacheutil.New(m.Manager, cacheutil.Options[string]{Name: "word", TTL: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Get(t.Context(), "k", func(context.Context) (string, error) { return "loaded", nil }); got != "loaded" || err != nil {
				t.Errorf("Get = %q, %v", got, err)
			}
			if m.Client() != nil {
				t.Error("there is a client")
			}
		})
	}
}
