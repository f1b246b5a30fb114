package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// frozen notes what the cached reads of a store handed out, and how it looked then.
type frozen struct {
	model.Store

	mu   sync.Mutex
	kept []keptValue
}

type keptValue struct {
	what  string
	value any
	then  []byte
}

// keep notes a value.
func keep[T any](f *frozen, what string, value T, err error) (T, error) {
	if err != nil {
		return value, err
	}
	then, problem := json.Marshal(value)
	if problem != nil {
		return value, problem
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, keptValue{what, value, then})
	return value, err
}

// check reports what looks otherwise than when it was handed out.
func (f *frozen) check(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]bool{}
	for _, k := range f.kept {
		seen[k.what] = true
		if now, err := json.Marshal(k.value); err != nil || !bytes.Equal(now, k.then) {
			t.Errorf("%s was changed by who got it, %v:\nthen %s\n now %s", k.what, err, k.then, now)
		}
	}
	if len(seen) != cachedReads {
		t.Errorf("only %v were asked", seen)
	}
}

// cachedReads is how many kinds of reads frozen looks after.
const cachedReads = 12

func (f *frozen) APIKeyGetByHash(ctx context.Context, arg model.APIKeyGetByHashParams) (model.APIKey, error) {
	v, err := f.Store.APIKeyGetByHash(ctx, arg)
	return keep(f, "APIKeyGetByHash", v, err)
}

func (f *frozen) MemoryListRecent(ctx context.Context, arg model.MemoryListRecentParams) ([]model.Memory, error) {
	v, err := f.Store.MemoryListRecent(ctx, arg)
	return keep(f, "MemoryListRecent", v, err)
}

func (f *frozen) MemorySearch(ctx context.Context, arg model.MemorySearchParams) ([]model.MemorySearchRow, error) {
	v, err := f.Store.MemorySearch(ctx, arg)
	return keep(f, "MemorySearch", v, err)
}

func (f *frozen) NeuronGet(ctx context.Context, arg model.NeuronGetParams) (model.Neuron, error) {
	v, err := f.Store.NeuronGet(ctx, arg)
	return keep(f, "NeuronGet", v, err)
}

func (f *frozen) NeuronGetState(ctx context.Context, arg model.NeuronGetStateParams) (model.NeuronState, error) {
	v, err := f.Store.NeuronGetState(ctx, arg)
	return keep(f, "NeuronGetState", v, err)
}

func (f *frozen) NeuronList(ctx context.Context, arg model.NeuronListParams) ([]model.Neuron, error) {
	v, err := f.Store.NeuronList(ctx, arg)
	return keep(f, "NeuronList", v, err)
}

func (f *frozen) NeuronActivityGet(ctx context.Context, arg model.NeuronActivityGetParams) (model.NeuronActivity, error) {
	v, err := f.Store.NeuronActivityGet(ctx, arg)
	return keep(f, "NeuronActivityGet", v, err)
}

func (f *frozen) NeuronActivityList(ctx context.Context, arg model.NeuronActivityListParams) ([]model.NeuronActivity, error) {
	v, err := f.Store.NeuronActivityList(ctx, arg)
	return keep(f, "NeuronActivityList", v, err)
}

func (f *frozen) NeuronCountByState(ctx context.Context) ([]model.NeuronCountByStateRow, error) {
	v, err := f.Store.NeuronCountByState(ctx)
	return keep(f, "NeuronCountByState", v, err)
}

func (f *frozen) SignalGet(ctx context.Context, arg model.SignalGetParams) (model.Signal, error) {
	v, err := f.Store.SignalGet(ctx, arg)
	return keep(f, "SignalGet", v, err)
}

func (f *frozen) SessionListByUser(ctx context.Context, arg model.SessionListByUserParams) ([]model.Session, error) {
	v, err := f.Store.SessionListByUser(ctx, arg)
	return keep(f, "SessionListByUser", v, err)
}

func (f *frozen) UserGetProfile(ctx context.Context, arg model.UserGetProfileParams) (model.UserProfile, error) {
	v, err := f.Store.UserGetProfile(ctx, arg)
	return keep(f, "UserGetProfile", v, err)
}

// TestHandlersLeaveCachedValuesAlone: what the cache hands out is shared by all who
// ask, so that nobody may change it. The race detector sees who does while others
// read, the comparison whoever does.
func TestHandlersLeaveCachedValuesAlone(t *testing.T) {
	t.Parallel()
	var f *frozen
	s := newServer(t, sqliteEngine, func(d *server.Deps) {
		f = &frozen{Store: d.Store}
		d.Store = f
		var err error
		// The accounts ask the same store.
		if d.Auth, err = auth.New(auth.Config{Store: f, Argon2: auth.Argon2{MemoryKiB: 8, Time: 1}, HashQueueTimeout: patience}); err != nil {
			t.Fatal(err)
		}
	})
	admin := s.user("root", auth.RoleAdmin)
	key := []string{"X-API-Key", s.key(admin)}
	s.ask("POST", "/api/v1/auth/login", fmt.Sprintf(`{"username":"root","password":%q}`, testPassword)).want(200)
	for i := range 5 {
		s.ask("PUT", fmt.Sprintf("/api/v1/neurons/n%d", i), `{"layer":"L1","settings":{"a":[1,2]}}`, key...).want(201)
		s.ask("POST", "/api/v1/memories", fmt.Sprintf(`{"neuron_id":"n1","content":"old ships %d","context":{"b":{}}}`, i), key...).want(201)
	}
	signal := decode[struct {
		Data struct {
			ID string `json:"id"`
		}
	}](s.ask("POST", "/api/v1/signals", `{"content":"hello","from_neuron":"n1","to_neuron":"n2","layer_from":"L1","layer_to":"L1","metadata":{"c":1}}`, key...).want(201)).Data.ID
	eventually(t, func() bool {
		s.ask("GET", "/api/v1/neurons/n2", "", key...)
		return s.ask("GET", "/api/v1/neurons/n2/health", "", key...).status == 200
	})
	asks := []string{
		"/api/v1/neurons?limit=2", "/api/v1/neurons?layer=L1", "/api/v1/neurons/n1", "/api/v1/neurons/n1/health", "/api/v1/neurons/neuron-l1/health",
		"/api/v1/status", "/api/v1/metrics", "/metrics", "/api/v1/memories?neuron=n1&limit=2", "/api/v1/memories/search?q=ships&limit=2",
		"/api/v1/signals/" + signal, "/api/v1/auth/profile", "/api/v1/users/" + admin.id.String() + "/sessions",
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for round := range 3 {
				for i := range asks {
					r := s.ask("GET", asks[(i+worker)%len(asks)], "", key...)
					if r.status != 200 {
						t.Errorf("%s: %d %s", asks[(i+worker)%len(asks)], r.status, r.body)
					}
				}
				s.ask("PUT", fmt.Sprintf("/api/v1/neurons/n%d/state", worker), fmt.Sprintf(`{"state":"s%d"}`, round), key...).want(200)
			}
		})
	}
	group.Wait()
	f.check(t)
}
