//go:build faults

package cacheutil_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// TestLongFaults prints what callers see of each fault, for make cache-faults.
func TestLongFaults(t *testing.T) {
	for _, one := range faults() {
		t.Run(one.name, func(t *testing.T) { fmt.Println(one.strike(t, 6*time.Second)) })
	}
}

// TestLongQueueLoss prints how many accepted writes a crash of Valkey loses, and
// how old the oldest one that was not applied is.
func TestLongQueueLoss(t *testing.T) {
	for _, durability := range [][]string{
		{"--appendfsync", "always"},
		{"--appendfsync", "everysec"},
		{"--appendonly", "no"},
	} {
		t.Run(durability[1], func(t *testing.T) {
			noLeaks(t)
			node := testenv.StartCacheNode(t, durability...)
			m := openManager(t, node.URL())
			db := createThings(t)
			options := db.options("thing")
			options.MaxLen = 1_000_000
			options.Apply = func(context.Context, []thing) error { return errors.New("the database is away") }
			q := newQueue(t, m, options)

			// Callers submit until Valkey dies.
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			accepted := make(chan int64)
			for caller := range 8 {
				go func() {
					var n int64
					for i := int64(1); ctx.Err() == nil; i++ {
						queued, _ := q.Submit(ctx, thing{fmt.Sprint("k", caller), i, "queued"})
						if queued {
							n++
						} else if n > 0 {
							break
						}
					}
					accepted <- n
				}()
			}
			testenv.Eventually(t, "much is queued", func() bool { return q.Stats(t.Context()).OldestAge > 2500*time.Millisecond })
			oldest := q.Stats(t.Context()).OldestAge
			must(t, node.Kill())
			var total int64
			for range 8 {
				total += <-accepted
			}
			must(t, node.Start(t.Context()))
			testenv.Eventually(t, "Valkey is back", func() bool { return q.Stats(t.Context()).Known })
			kept := q.Stats(t.Context()).Depth
			fmt.Printf("%-22s %6d accepted, %6d kept, %d lost; the oldest had waited %v\n",
				durability[0][2:]+" "+durability[1], total, kept, max(0, total-kept), oldest.Round(time.Millisecond))
			if durability[1] == "always" && kept < total {
				t.Errorf("%d of %d accepted writes are lost although Valkey syncs each", total-kept, total)
			}
		})
	}
}
