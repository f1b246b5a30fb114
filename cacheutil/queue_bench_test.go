package cacheutil_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// BenchmarkQueue measures what a caller pays for an accepted value, and how many
// values a second go all the way to an Apply that costs nothing.
func BenchmarkQueue(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run("callers="+strconv.Itoa(callers), func(b *testing.B) {
			m, err := cacheutil.Open(b.Context(), cacheutil.Config{
				URL: testenv.CacheURL(b), Prefix: b.Name() + ":", Pipelining: true, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			q, err := cacheutil.NewQueue(m, cacheutil.QueueOptions[thing]{
				Name:    "thing",
				Key:     func(v thing) string { return v.Key },
				Version: func(v thing) int64 { return v.Version },
				Apply:   func(context.Context, []thing) error { return nil },
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- q.Run(ctx) }()
			var next, refused atomic.Int64
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := next.Add(1)
					queued, err := q.Submit(ctx, thing{"k" + strconv.FormatInt(i%1000, 10), i, "queued"})
					if err != nil {
						b.Error(err)
					}
					if !queued {
						refused.Add(1)
					}
				}
			})
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
			if err := q.Drain(b.Context()); err != nil {
				b.Error(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "values/s")
			b.ReportMetric(float64(refused.Load()), "refused")
		})
	}
}
