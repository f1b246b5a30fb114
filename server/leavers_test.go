package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// gated is a real store whose inserts of signals wait until the gate opens.
type gated struct {
	model.Store
	open chan struct{}
}

func (g *gated) SignalInsert(ctx context.Context, arg model.SignalInsertParams) (int64, error) {
	<-g.open
	return g.Store.SignalInsert(ctx, arg)
}

func (g *gated) SignalInsertMany(ctx context.Context, rows []model.SignalInsertParams) (model.BulkResult, error) {
	<-g.open
	return g.Store.SignalInsertMany(ctx, rows)
}

// Of 300 clients whose signals wait together every third hangs up, some with their signal
// in the queue and some with it on its way into the database: all others are answered, and
// what each sent is stored once.
func TestLeavingClientsLoseNoBatchMates(t *testing.T) {
	t.Parallel()
	const clients = 300
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			g := &gated{open: make(chan struct{})}
			st := openStore(t, engine)
			g.Store = st
			s := newServerOn(t, g, func(d *server.Deps) { d.Cache = nil })
			let := sync.OnceFunc(func() { close(g.open) })
			t.Cleanup(let)
			transport := &http.Transport{MaxConnsPerHost: clients, MaxIdleConnsPerHost: clients}
			t.Cleanup(transport.CloseIdleConnections)
			client := &http.Client{Transport: transport}
			leaves := func(i int) bool { return i%3 == 0 }
			going, leave := context.WithCancel(t.Context())
			statuses := make([]int, clients)
			var group sync.WaitGroup
			for i := range clients {
				group.Go(func() {
					ctx := t.Context()
					if leaves(i) {
						ctx = going
					}
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/signals", strings.NewReader(fmt.Sprintf(`{"content":"%d","layer_to":"L4"}`, i)))
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("Content-Type", "application/json")
					resp, err := client.Do(req)
					if err != nil {
						return // left
					}
					statuses[i] = resp.StatusCode
					_ = resp.Body.Close()
				})
			}
			eventually(t, func() bool { return s.ingest.Stats().Accepted == clients })
			leave()
			eventually(t, func() bool { return strings.Count(s.log.String(), `"status":499`) == clients/3 })
			let()
			group.Wait()
			lost, twice, stored := 0, 0, map[string]int{}
			for _, x := range decode[list[signal]](s.ask("GET", "/api/v1/signals?limit=1000", "").want(200)).Data {
				stored[x.Content]++
			}
			for i := range clients {
				n := stored[strconv.Itoa(i)]
				if n > 1 {
					twice++
				}
				if !leaves(i) && (statuses[i] != http.StatusCreated || n == 0) {
					lost++
				}
			}
			if lost > 0 || twice > 0 {
				t.Errorf("%d of %d that stayed are lost, %d are stored twice", lost, clients*2/3, twice)
			}
			t.Logf("%d clients left %d behind: %d of these lost, %d stored twice; of those that left %d are stored", clients/3, clients*2/3, lost, twice, len(stored)-clients*2/3+lost)
		})
	}
}
