package cacheutil_test

import (
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// Whoever runs a Valkey that is of no use reads why, once, and where that is.
func TestWhyValkeyIsOfNoUse(t *testing.T) {
	t.Parallel()
	server := testenv.StartCache(t)
	client := connect(t, server.URL())
	ask(t, client, "ACL", "SETUSER", "weak", "on", ">s3cret-pa55", "~*", "&*", "+get", "+ping", "+hello", "+client", "+info")
	replica := testenv.StartCache(t)
	host, port, err := net.SplitHostPort(hostOf(t, server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, connect(t, replica.URL()), "REPLICAOF", host, port)
	address := func(raw string, change func(*url.URL)) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	for name, c := range map[string]struct{ url, why string }{
		"wrong password": {address(server.URL(), func(u *url.URL) { u.User = url.UserPassword("weak", "s3cret-pa55x") }), "the user or the password was refused"},
		"weak user":      {address(server.URL(), func(u *url.URL) { u.User = url.UserPassword("weak", "s3cret-pa55") }), "the user lacks a right that the cache needs: NOPERM"},
		"replica":        {replica.URL(), "it is a replica, which takes no writes"},
		"nobody":         {"redis://127.0.0.1:1", "nobody listens there"},
		"no such host":   {"redis://nowhere.invalid:1", "name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log testenv.Log
			m, err := cacheutil.Open(t.Context(), cacheutil.Config{URL: c.url, Prefix: "t:", Logger: slog.New(slog.NewJSONHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = m.Close() })
			testenv.Eventually(t, "the reason is known", func() bool { return strings.Contains(m.State().Why, c.why) })
			if got := m.State().Valkey; got != "down" {
				t.Errorf("it is %s", got)
			}
			if m.Client() == nil { // and messages cannot be sent
				if err := m.Channel("c").Publish(t.Context(), []string{"m"}); err == nil || !strings.Contains(err.Error(), "valkey is away: "+m.State().Why) {
					t.Errorf("of a message it is told %v", err)
				}
				if err := m.Channel("c").Subscribe(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "valkey is away: "+m.State().Why) {
					t.Errorf("of a subscription it is told %v", err)
				}
			}
			text := log.String()
			if strings.Count(text, c.why) != 1 || !strings.Contains(text, hostOf(t, c.url)) || strings.Contains(text, "s3cret") {
				t.Errorf("the log does not tell once of %s and %q, or holds the password:\n%s", hostOf(t, c.url), c.why, text)
			}
		})
	}
}

// A Valkey that ends while it is used is told of with the reason until it is back.
func TestWhyValkeyIsOfNoUseLater(t *testing.T) {
	t.Parallel()
	node := testenv.StartCacheNode(t)
	m := openLive(t, cacheutil.Config{URL: node.URL(), Prefix: "t:"})
	must(t, node.Kill())
	testenv.Eventually(t, "the reason is known", func() bool { return m.State().Why == "nobody listens there" })
	must(t, node.Start(t.Context()))
	testenv.Eventually(t, "it is up", func() bool { return m.State().Valkey == "up" })
	if why := m.State().Why; why != "" {
		t.Errorf("it is up, and %q", why)
	}
}
