package postgres_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// cutter stands between the store and the engine, and can cut all connections.
type cutter struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
}

func startCutter(t *testing.T, address string) *cutter {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener}
	var wg sync.WaitGroup
	t.Cleanup(func() { c.close(); wg.Wait() })
	wg.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", u.Host)
			if err != nil {
				_ = near.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, near, far)
			c.mu.Unlock()
			pipe := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_, _ = to.Close(), from.Close()
			}
			wg.Go(func() { pipe(far, near) })
			wg.Go(func() { pipe(near, far) })
		}
	})
	return c
}

// url is the address with the cutter in the engine's place.
func (c *cutter) url(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = c.listener.Addr().String()
	return u.String()
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func (c *cutter) close() {
	_ = c.listener.Close()
	c.cut()
}

// awaitWaiting returns when a session waits for a lock that is not among those known
// to wait, and adds it to them: what waits does not notice that its client is gone.
func awaitWaiting(t *testing.T, conn *pgx.Conn, known map[int]bool) {
	t.Helper()
	testenv.Eventually(t, "a session that waits for a lock", func() bool {
		rows, err := conn.Query(t.Context(), `SELECT DISTINCT pid FROM pg_locks
			WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		if err != nil {
			t.Fatal(err)
		}
		pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range pids {
			if !known[pid] {
				known[pid] = true
				return true
			}
		}
		return false
	})
}
