package cacheutil

import (
	"context"
	"fmt"
	"time"

	"github.com/valkey-io/valkey-go"
)

// storing is a value to be stored under a lease, or a lease to be given back.
type storing struct {
	space      *keyspace
	key, token string
	value      stored
	release    bool
}

// takeAll is take for many keys in one round trip.
func (r *remote) takeAll(ctx context.Context, all []taking) ([]taken, []error) {
	answers, errs := make([]taken, len(all)), make([]error, len(all))
	_, space, err := r.usable()
	if err != nil {
		return answers, fill(errs, err)
	}
	calls := make([]scriptCall, len(all))
	for i, t := range all {
		calls[i] = scriptCall{r.scripts.take, space.entry(t.key, 2), t.args()}
	}
	for i, result := range r.callAll(ctx, calls, false) {
		answers[i], errs[i] = readTaken(space, result)
	}
	return answers, errs
}

// storeAll is store or release for many keys in one round trip.
func (r *remote) storeAll(ctx context.Context, all []storing) ([]bool, []error) {
	accepted, errs := make([]bool, len(all)), make([]error, len(all))
	calls := make([]scriptCall, len(all))
	for i, s := range all {
		keys := s.space.entry(s.key, 3)
		if s.release {
			calls[i] = scriptCall{r.scripts.release, keys, []string{s.token}}
		} else {
			calls[i] = scriptCall{r.scripts.store, keys, []string{s.token, s.value.encode(), millis(s.value.ttl + s.value.stale)}}
		}
	}
	for i, result := range r.callAll(ctx, calls, false) {
		stored, err := result.AsInt64()
		if err != nil {
			errs[i] = fmt.Errorf("store a value in Valkey: %w", err)
		}
		accepted[i] = stored == 1
	}
	return accepted, errs
}

// callAll runs scripts in pipelines, each within the budget. Where nobody waits, it
// is patient: it takes its time, also with a Valkey that the breaker has given up.
func (r *remote) callAll(ctx context.Context, calls []scriptCall, patient bool) []valkey.ValkeyResult {
	ask, budget := r.usable, r.cfg.CallTimeout
	if patient {
		ask, budget = r.reachable, max(replayBudget, budget)
	}
	results := make([]valkey.ValkeyResult, 0, len(calls))
	for len(calls) > 0 {
		batch := calls[:min(len(calls), maxBatch)]
		calls = calls[len(batch):]
		client, _, err := ask()
		if err != nil {
			for range batch {
				results = append(results, valkey.NewErrorResult(err))
			}
			continue
		}
		began := time.Now()
		limited, cancel := context.WithDeadline(ctx, began.Add(budget))
		got := runAll(limited, client, batch)
		cancel()
		if !patient {
			r.observe(ctx, began, budget, got[0].Error())
		}
		results = append(results, got...)
	}
	return results
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}
