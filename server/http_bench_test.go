package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/stream"
)

// BenchmarkHTTP measures what a request costs between the connection and the database,
// with all middleware, by many callers at once and without a network. hello is bare gin
// with recovery, for comparison in the same run.
func BenchmarkHTTP(b *testing.B) {
	b.Run("hello", func(b *testing.B) {
		gin.SetMode(gin.ReleaseMode)
		engine := gin.New()
		engine.Use(gin.Recovery())
		engine.GET("/hello", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"message": "hello"}) })
		benchmarkRequest(b, engine, "GET", "/hello", "", "")
	})
	engines := map[string]func(b *testing.B) string{
		sqliteEngine:   func(b *testing.B) string { b.Helper(); return "sqlite://" + filepath.Join(b.TempDir(), "hal9.db") },
		postgresEngine: func(b *testing.B) string { b.Helper(); return testenv.PostgresDatabase(b) },
	}
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		b.Run(engine, func(b *testing.B) {
			handler, token, id := newBenchServer(b, engines[engine](b))
			signal := `{"content": "Plan the deployment of the new service and tell the others about it.", "layer": "L3", "neuron_id": "task-analyzer"}`
			for _, r := range []struct{ name, method, path, body, token string }{
				{"SignalSend", "POST", "/api/v1/signal", signal, ""},
				{"SignalGet", "GET", "/api/v1/signals/" + id, "", ""},
				{"SignalList", "GET", "/api/v1/signals?limit=50", "", ""},
				{"NeuronGet", "GET", "/api/v1/neurons/neuron-l4", "", ""},
				{"NeuronList", "GET", "/api/v1/neurons", "", ""},
				{"ProfileGet", "GET", "/api/v1/auth/profile", "", token},
				{"StatusGet", "GET", "/api/v1/status", "", ""},
				{"MetricsGet", "GET", "/api/v1/metrics", "", ""},
			} {
				b.Run(r.name, func(b *testing.B) { benchmarkRequest(b, handler, r.method, r.path, r.body, r.token) })
			}
		})
	}
}

func benchmarkRequest(b *testing.B, handler http.Handler, method, path, body, token string) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if got := benchRequest(handler, method, path, body, token); got.Code != http.StatusOK {
				b.Errorf("%d: %.200s", got.Code, got.Body)
				return
			}
		}
	})
}

func benchRequest(handler http.Handler, method, path, body, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:50000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// newBenchServer serves a database with 1,000 signals, a user's token and a signal's id.
func newBenchServer(b *testing.B, url string) (handler http.Handler, token, id string) {
	b.Helper()
	st, err := store.Open(b.Context(), store.Config{URL: url, Migrate: true, MaxConnections: 20, Cache: &store.Cache{Config: cacheutil.Config{LocalMaxTTL: time.Minute}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	feed := stream.New(stream.Config{Store: st})
	in := ingest.New(ingest.Config{Store: st, Committed: feed.Publish})
	accounts, err := auth.New(auth.Config{Store: st, Argon2: auth.Argon2{MemoryKiB: 8, Time: 1}})
	if err != nil {
		b.Fatal(err)
	}
	srv, err := server.New(server.Deps{Store: st, Ingest: in, Stream: feed, IDs: model.NewIDGenerator(time.Now), Auth: accounts})
	if err != nil {
		b.Fatal(err)
	}
	handler = srv.Handler()
	send := func(path, body string, out any) {
		got := benchRequest(handler, "POST", path, body, "")
		if got.Code >= http.StatusMultipleChoices {
			b.Fatalf("%s: %d: %.200s", path, got.Code, got.Body)
		}
		if err := json.Unmarshal(got.Body.Bytes(), out); err != nil {
			b.Fatal(err)
		}
	}
	var ids, login struct {
		Data struct {
			IDs         []string `json:"ids"`
			AccessToken string   `json:"access_token"`
		} `json:"data"`
	}
	var rows []string
	for n := range 1000 {
		rows = append(rows, fmt.Sprintf(`{"content": "row %d of the benchmark, with some text", "layer_to": "L3", "to_neuron": "n-%d"}`, n, n%100))
	}
	send("/api/v1/signals", "["+strings.Join(rows, ",")+"]", &ids)
	credentials := `{"username": "bench", "password": "correct horse battery"}`
	send("/api/v1/auth/register", credentials, &struct{}{})
	send("/api/v1/auth/login", credentials, &login)
	return handler, login.Data.AccessToken, ids.Data.IDs[0]
}
