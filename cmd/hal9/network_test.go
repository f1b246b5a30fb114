package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/internal/testenv"
	schemed "github.com/hal9-ai/hal9/internal/testenv/migrated"
)

// The limits of a service under network faults: short, so that they are seen to hold, and
// so far apart that a busy machine does not mix them up.
const (
	networkRequestTimeout = time.Second
	// networkMargin is how much later than server.request_timeout an answer may come on
	// a busy machine.
	networkMargin = 3 * time.Second
	// networkClients are more than the connections of the pool.
	networkClients = 32
	// networkRecovery is how soon after the fault the service must answer well again, on
	// a busy machine.
	networkRecovery = 20 * time.Second
)

// networkFault is what happens to the network between the service and one of its servers.
type networkFault struct {
	name   string
	toxics []string // as toxiproxy's API takes them; none: the way is closed
	forget bool     // what is open stays open and is silent for ever
	quiet  bool     // nothing need fail
}

// networkFaults are those that promises are made for.
func networkFaults() []networkFault {
	return []networkFault{
		{name: "latency 100 ms, jitter 50", quiet: true, toxics: []string{
			`{"name":"l","type":"latency","stream":"downstream","attributes":{"latency":100,"jitter":50}}`,
		}},
		{name: "bandwidth 16 KB/s", quiet: true, toxics: []string{
			`{"name":"b","type":"bandwidth","stream":"downstream","attributes":{"rate":16}}`,
		}},
		{name: "slow close", quiet: true, toxics: []string{
			`{"name":"s","type":"slow_close","stream":"downstream","attributes":{"delay":1000}}`,
		}},
		{name: "cut", toxics: []string{
			`{"name":"d","type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`,
			`{"name":"u","type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`,
		}},
		{name: "half-open", toxics: []string{
			`{"name":"d","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
			`{"name":"u","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		}},
		{name: "half-open for good", forget: true},
		{name: "down, then up"},
	}
}

// proxied is a server behind a proxy.
type proxied struct {
	*toxiproxy.Proxy

	firewall *forgetful
	url      string
}

// behindProxy puts a proxy before the server that a URL names.
func behindProxy(t *testing.T, address string) *proxied {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the server's URL cannot be read")
	}
	p := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "server", "127.0.0.1:0", u.Host)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	f := startForgetful(t, p.Listen)
	u.Host = f.address()
	return &proxied{p, f, u.String()}
}

func (p *proxied) strike(t *testing.T, f networkFault) {
	t.Helper()
	switch {
	case f.forget:
		p.firewall.forget()
	case len(f.toxics) == 0:
		p.Stop()
	}
	for _, toxic := range f.toxics {
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *proxied) heal(t *testing.T, f networkFault) {
	t.Helper()
	if f.forget {
		p.firewall.remember()
		return
	}
	if len(f.toxics) == 0 {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
	}
	p.Toxics.ResetToxics(context.WithoutCancel(t.Context()))
}

// network is a service behind proxies, and who asks it.
type network struct {
	*served

	databaseProxy, cacheProxy *proxied
	client                    *http.Client
	goroutines                int    // at rest
	last                      string // failure
}

// startNetwork starts a service whose ways to its servers can be disturbed.
func startNetwork(t *testing.T) *network {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		// The proxy forgets goroutines when both ends of a link go at once: whichever toxic it
		// was, and what reads from the connection. pgx takes leave of servers that do not
		// answer for 15 s.
		const proxys = "github.com/Shopify/toxiproxy/v2"
		goleak.VerifyNone(t, leaks, goleak.IgnoreAnyFunction(proxys+"/toxics.(*NoopToxic).Pipe"),
			goleak.IgnoreAnyFunction(proxys+"/toxics.(*ToxicStub).Run"), goleak.IgnoreAnyFunction(proxys+".(*ToxicLink).read"),
			goleak.IgnoreAnyFunction(takingLeave+".func1"))
	})
	t.Chdir(t.TempDir()) // for the first admin's key
	n := &network{
		databaseProxy: behindProxy(t, schemed.PostgresDatabase(t)), cacheProxy: behindProxy(t, testenv.CacheURL(t)),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	t.Cleanup(n.client.CloseIdleConnections)
	config := filepath.Join(t.TempDir(), "hal9.yaml")
	if err := os.WriteFile(config, []byte("stream: {bus: postgres}\n"), 0o600); err != nil { // a way of its own to the database
		t.Fatal(err)
	}
	n.served = startServe(t, n.databaseProxy.url,
		"--server-request-timeout", networkRequestTimeout.String(), "--database-acquire-timeout", "500ms", "--database-statement-timeout", "1s",
		"--cache-url", n.cacheProxy.url, "--cache-key-prefix", "network-"+t.Name()+":", "--config", config, "--log-access-sample", "0")
	n.ask(t.Context()) // all ways are made
	n.await(t, "connections at rest", n.connectionsRest)
	n.goroutines = goroutines()
	return n
}

// networkRequests are one of each kind of work: memory, cache, database, commit.
func networkRequests() [][3]string {
	return [][3]string{
		{"POST", "/api/v1/signal", `{"content":"plan the day","layer":"L3"}`},
		{"GET", "/api/v1/neurons", ""},
		{"GET", "/api/v1/neurons/neuron-l4", ""},
		{"POST", "/api/v1/memories", `{"neuron_id":"neuron-l4","content":"the day was planned"}`},
		{"GET", "/api/v1/memories/search?q=planned&limit=3", ""},
		{"GET", "/api/v1/signals?limit=3", ""},
		{"PUT", "/api/v1/neurons/neuron-l3/state", `{"state":"Processing"}`},
		{"GET", "/api/v1/status", ""},
		{"GET", "/api/v1/neurons/neuron-l4", "bearer"}, // a credential that has to be looked up
	}
}

// seen is what became of one request.
type seen struct {
	status int
	took   time.Duration
	fault  string // how it broke a promise
}

// ask sends each request once.
func (n *network) ask(ctx context.Context) []seen {
	all := make([]seen, 0, 16)
	for _, r := range networkRequests() {
		all = append(all, n.send(ctx, r))
		if ctx.Err() != nil {
			break
		}
	}
	return all
}

func (n *network) send(ctx context.Context, r [3]string) (s seen) {
	method, path, body := r[0], r[1], r[2]
	ctx, cancel := context.WithTimeout(ctx, networkRequestTimeout+4*networkMargin)
	defer cancel()
	begin := time.Now()
	defer func() { s.took = time.Since(begin) }()
	req, err := http.NewRequestWithContext(ctx, method, n.url+path, strings.NewReader(body))
	if err != nil {
		return seen{fault: err.Error()}
	}
	if body == "bearer" {
		req.Body, req.ContentLength = http.NoBody, 0
		req.Header.Set("X-Api-Key", "hal9_"+strings.Repeat("x", 8)+strconv.FormatInt(begin.UnixNano(), 10))
	}
	if req.ContentLength > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return seen{fault: method + " " + path + ": no answer: " + err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	s.status = resp.StatusCode
	switch low := strings.ToLower(string(text)); {
	case err != nil:
		s.fault = "half an answer: " + err.Error()
	case s.status == http.StatusInternalServerError:
		s.fault = "500: " + string(text)
	case s.status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "":
		s.fault = "503 without Retry-After: " + string(text)
	case s.status/100 == 5 && resp.Header.Get("Content-Type") != "application/problem+json":
		s.fault = "no problem document: " + string(text)
	case s.status/100 == 5 && (strings.Contains(low, "127.0.0.1") || strings.Contains(low, "sqlstate") || strings.Contains(low, "pgx") || strings.Contains(low, "dial ")):
		s.fault = "tells what is not the client's: " + string(text)
	case s.status/100 == 4 && s.status != http.StatusUnauthorized && s.status != http.StatusConflict:
		s.fault = fmt.Sprintf("%s %s: %d: %s", method, path, s.status, text)
	}
	if s.fault != "" {
		s.fault = method + " " + path + ": " + s.fault
	}
	return s
}

// disturb has a fault last for a time under load, and tells what clients saw. It holds the
// service to its promises.
func (n *network) disturb(t *testing.T, what string, p *proxied, f networkFault, lasts time.Duration) string {
	t.Helper()
	var mu sync.Mutex
	var all []seen
	loading, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	var done atomic.Int64
	p.strike(t, f)
	requests := networkRequests()
	for client := range networkClients {
		clients.Go(func() {
			for turn := client; loading.Err() == nil; turn++ { // they begin in different places
				answer := n.send(context.WithoutCancel(loading), requests[turn%len(requests)])
				done.Add(1)
				mu.Lock()
				all = append(all, answer)
				mu.Unlock()
			}
		})
	}
	<-time.After(lasts) // the fault's time; nothing is waited for
	n.await(t, "everything was asked often", func() bool { return done.Load() >= 5*int64(networkClients) })
	p.heal(t, f)
	healed := time.Now()
	var recovered time.Duration
	n.await(t, what+" "+f.name+": every request succeeds again", func() bool {
		for _, s := range n.ask(t.Context()) {
			if s.status/100 != 2 && s.status != http.StatusUnauthorized {
				n.last = fmt.Sprintf("%+v", s)
				return false
			}
		}
		recovered = time.Since(healed)
		return true
	})
	stop()
	clients.Wait()
	n.client.CloseIdleConnections()
	n.await(t, what+" "+f.name+": connections at rest", n.connectionsRest)
	n.await(t, what+" "+f.name+": goroutines at rest", func() bool { return goroutines() <= n.goroutines+10 })
	rest := time.Since(healed)

	if recovered > networkRecovery {
		t.Errorf("%s %s: it took %s to recover", what, f.name, recovered)
	}
	statuses := map[int]int{}
	longest := time.Duration(0)
	took := make([]time.Duration, 0, len(all))
	for _, s := range all {
		statuses[s.status]++
		longest = max(longest, s.took)
		took = append(took, s.took)
		if s.fault != "" {
			t.Errorf("%s %s, after %s: %s", what, f.name, s.took, s.fault)
		}
	}
	if longest > networkRequestTimeout+networkMargin {
		t.Errorf("%s %s: a request took %s, with server.request_timeout %s", what, f.name, longest, networkRequestTimeout)
	}
	if f.quiet && statuses[503]+statuses[504] > 0 && p == n.cacheProxy {
		t.Errorf("%s %s: %v", what, f.name, statuses)
	}
	if p == n.cacheProxy && statuses[503]+statuses[504] > 0 {
		t.Errorf("%s %s: a cache that is away fails requests: %v", what, f.name, statuses)
	}
	slices.Sort(took)
	return fmt.Sprintf("%-11s %-26s %6d %6d %5d %5d %9d %9d %10d %9d", what, f.name, statuses[200]+statuses[201]+statuses[401], statuses[409],
		statuses[503], statuses[504], took[len(took)*99/100].Milliseconds(), longest.Milliseconds(), recovered.Milliseconds(), rest.Milliseconds())
}

// takingLeave is what pgx does in the background.
const takingLeave = "github.com/jackc/pgx/v5/pgconn.(*PgConn).asyncClose"

// goroutines counts those of the service and its clients: each connection through a proxy
// takes several of the proxy's.
func goroutines() int {
	buf := make([]byte, 8<<20)
	count := 0
	for one := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if !strings.Contains(one, "toxiproxy") && !strings.Contains(one, "forgetful") && !strings.Contains(one, takingLeave) {
			count++
		}
	}
	return count
}

const networkHead = "between     fault                      2xx/401    409   503   504    p99 ms    max ms recover ms   rest ms"

// connectionsRest tells whether no connection to the database is lent or waited for.
func (n *network) connectionsRest() bool {
	resp, err := n.client.Get(n.url + "/metrics")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return err == nil && strings.Contains(string(text), "\nhal9_db_pool_active_connections 0\n") && strings.Contains(string(text), "\nhal9_db_pool_waiting_calls 0\n")
}

func (n *network) await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	testenv.EventuallyOr(t, func() string {
		buf := make([]byte, 1<<20)
		return fmt.Sprintf("%s; %d goroutines, %d at rest; %s\n%s\n%s", what, goroutines(), n.goroutines, n.last, n.stderr, buf[:runtime.Stack(buf, true)])
	}, condition)
}

// Whatever happens to the network, each request ends in time with an answer that tells no
// secret, and the service recovers by itself. All faults: make network-faults.
func TestNetworkFaults(t *testing.T) { //nolint:paralleltest // counts goroutines
	n := startNetwork(t)
	for _, f := range networkFaults() {
		switch f.name {
		case "cut", "half-open for good":
			t.Log(n.disturb(t, "PostgreSQL", n.databaseProxy, f, 0))
		}
		if f.name == "half-open" {
			t.Log(n.disturb(t, "Valkey", n.cacheProxy, f, 0))
		}
	}
	if code := n.end(); code != exitOK {
		t.Errorf("ended with %d\n%s", code, n.stderr)
	}
}
