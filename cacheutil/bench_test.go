package cacheutil_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/maypok86/otter/v2"
	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// record is about 390 bytes of JSON, like the rows of the service.
type record struct {
	ID        string
	Name      string
	State     string
	Layer     int32
	Weight    float64
	CreatedAt time.Time
	UpdatedAt time.Time
	Metadata  json.RawMessage
	Tags      []string
	Version   int64
}

func newRecord(i int) record {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	return record{
		ID: strconv.Itoa(i), Name: "neuron", State: "active", Layer: 3, Weight: 0.25, CreatedAt: at, UpdatedAt: at,
		Metadata: json.RawMessage(`{"source":"` + strings.Repeat("x", 120) + `"}`), Tags: []string{"a", "b", "c"}, Version: int64(i + 1),
	}
}

// benchKeys is how many keys the benchmarks go around.
const benchKeys = 1024

func benchKey(i int) string { return "record:" + strconv.Itoa(i) }

// together runs b.N operations in g goroutines.
func together(b *testing.B, g int, operation func(key string) error) {
	b.Helper()
	keys := make([]string, benchKeys)
	for i := range keys {
		keys[i] = benchKey(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for worker := range g {
		all.Go(func() {
			for i := worker; i < b.N; i += g {
				if err := operation(keys[i%benchKeys]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

var goroutines = []int{1, 4, 16, 64}

func overGoroutines(b *testing.B, name string, operation func(key string) error) {
	b.Helper()
	for _, g := range goroutines {
		b.Run(fmt.Sprintf("%s/goroutines=%d", name, g), func(b *testing.B) { together(b, g, operation) })
	}
}

func loadRecord(context.Context) (record, error) { return newRecord(1), nil }

func recordCache(b *testing.B, m *cacheutil.Manager, change func(*cacheutil.Options[record])) *cacheutil.Cache[record] {
	b.Helper()
	o := cacheutil.Options[record]{Name: "record", TTL: time.Hour, Version: func(r record) int64 { return r.Version }}
	if change != nil {
		change(&o)
	}
	c, err := cacheutil.New(m, o)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkHit is a hit in process memory, beside what it is made of and what one
// might take instead.
func BenchmarkHit(b *testing.B) {
	ctx := context.Background()

	var mu sync.RWMutex
	plain := map[string]*record{}
	bare := otter.Must(&otter.Options[string, *record]{
		MaximumWeight: 64 << 20, Weigher: func(string, *record) uint32 { return 1000 },
		ExpiryCalculator: otter.ExpiryWriting[string, *record](time.Hour),
	})
	defer bare.StopAllGoroutines()
	for i := range benchKeys {
		r := newRecord(i)
		plain[benchKey(i)] = &r
		bare.Set(benchKey(i), &r)
	}
	overGoroutines(b, "map+RWMutex", func(key string) error {
		mu.RLock()
		defer mu.RUnlock()
		_ = plain[key]
		return nil
	})
	overGoroutines(b, "otter", func(key string) error {
		_, _ = bare.GetIfPresent(key)
		return nil
	})

	m := openLive(b, cacheutil.Config{URL: testenv.CacheURL(b), Prefix: prefix(b)})
	c := recordCache(b, m, nil)
	timed := recordCache(b, m, func(o *cacheutil.Options[record]) {
		o.Name, o.MaxStale, o.RefreshAhead = "timed", time.Hour, 0.9
	})
	for i := range benchKeys {
		key := benchKey(i)
		for _, warm := range []func() error{
			func() error { _, err := c.Get(ctx, key, loadRecord); return err },
			func() error { _, err := timed.Get(ctx, "timed:"+key, loadRecord); return err },
			func() error { _, err := c.GetInGroup(ctx, "group", "grouped:"+key, loadRecord); return err },
		} {
			if err := warm(); err != nil {
				b.Fatal(err)
			}
		}
	}
	encode := func(r record) ([]byte, error) { return json.Marshal(r) }
	overGoroutines(b, "Get", func(key string) error {
		_, err := c.Get(ctx, key, loadRecord)
		return err
	})
	overGoroutines(b, "GetEncoded", func(key string) error {
		_, _, err := c.GetEncoded(ctx, key, loadRecord, encode)
		return err
	})
	b.Run("Get with MaxStale and RefreshAhead", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = timed.Get(ctx, "timed:record:7", loadRecord)
		}
	})
	b.Run("GetInGroup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.GetInGroup(ctx, "group", "grouped:record:7", loadRecord)
		}
	})
}

// BenchmarkRemoteHit is a hit in Valkey: without tracking process memory is not
// used.
func BenchmarkRemoteHit(b *testing.B) {
	ctx := context.Background()
	url := testenv.StartCache(b).URL()
	deny(b, url)
	cfg := cacheutil.Config{URL: url, Prefix: prefix(b)}
	for _, pipelining := range []bool{false, true} {
		cfg.Pipelining = pipelining
		c := recordCache(b, open(b, cfg), nil)
		for i := range benchKeys {
			if _, err := c.Get(ctx, benchKey(i), loadRecord); err != nil {
				b.Fatal(err)
			}
		}
		overGoroutines(b, fmt.Sprintf("Get/pipelining=%v", pipelining), func(key string) error {
			_, err := c.Get(ctx, key, loadRecord)
			return err
		})
		many := make([]string, 50)
		for i := range many {
			many[i] = benchKey(i)
		}
		b.Run(fmt.Sprintf("GetMany of 50/pipelining=%v", pipelining), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				got, err := c.GetMany(ctx, many, nil)
				if err != nil || len(got) != len(many) {
					b.Fatal(err)
				}
			}
		})
	}
	clientSide(ctx, b, testenv.CacheURL(b))
}

// deny has the server refuse to track.
func deny(b *testing.B, url string) {
	b.Helper()
	option, err := cacheutil.ParseURL(url)
	if err != nil {
		b.Fatal(err)
	}
	option.DisableCache = true
	client, err := valkey.NewClient(option)
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	ask(b, client, "ACL", "SETUSER", "default", "-client|tracking")
}

// clientSide is valkey-go's own cache, and the plain command.
func clientSide(ctx context.Context, b *testing.B, url string) {
	b.Helper()
	option, err := cacheutil.ParseURL(url)
	if err != nil {
		b.Fatal(err)
	}
	client, err := valkey.NewClient(option)
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	names := prefix(b)
	for i := range benchKeys {
		data, err := cbor.Marshal(newRecord(i))
		if err != nil {
			b.Fatal(err)
		}
		ask(b, client, "SET", names+benchKey(i), string(data), "PX", "3600000")
	}
	decode := func(result valkey.ValkeyResult) error {
		data, err := result.AsBytes()
		if err != nil {
			return err
		}
		var r record
		return cbor.Unmarshal(data, &r)
	}
	overGoroutines(b, "GET+CBOR", func(key string) error {
		return decode(client.Do(ctx, client.B().Get().Key(names+key).Build()))
	})
	overGoroutines(b, "DoCache+CBOR", func(key string) error {
		return decode(client.DoCache(ctx, client.B().Get().Key(names+key).Cache(), time.Hour))
	})
}

// BenchmarkMiss is a load that takes no time, and what storing it costs.
func BenchmarkMiss(b *testing.B) {
	ctx := context.Background()
	for name, url := range map[string]string{"local": "", "two tiers": testenv.CacheURL(b)} {
		m := open(b, cacheutil.Config{URL: url, Prefix: prefix(b)})
		c := recordCache(b, m, nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := c.Get(ctx, b.Name()+strconv.Itoa(b.N)+":"+strconv.Itoa(i), loadRecord); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/invalidate", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.Invalidate(ctx, benchKey(i%benchKeys), int64(i+1))
			}
		})
	}
}

// BenchmarkCodec is why CBOR is the default.
func BenchmarkCodec(b *testing.B) {
	r := newRecord(1)
	asJSON, err := json.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	mode, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode()
	if err != nil {
		b.Fatal(err)
	}
	asCBOR, err := mode.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	for name, operation := range map[string]func() error{
		"JSON/encode": func() error { _, err := json.Marshal(r); return err },
		"JSON/decode": func() error { var r record; return json.Unmarshal(asJSON, &r) },
		"CBOR/encode": func() error { _, err := mode.Marshal(r); return err },
		"CBOR/decode": func() error { var r record; return cbor.Unmarshal(asCBOR, &r) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := operation(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(map[bool]int{true: len(asJSON), false: len(asCBOR)}[strings.HasPrefix(name, "JSON")]), "bytes")
		})
	}
}
