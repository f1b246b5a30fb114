package cacheutil_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

type everything struct {
	ID       uuid.UUID
	Optional *uuid.UUID
	None     *uuid.UUID
	At       time.Time
	Maybe    *time.Time
	Never    *time.Time
	JSON     json.RawMessage
	NoJSON   json.RawMessage
	Text     string
	Name     *string
	Bytes    []byte
	Count    int64
	Small    int32
	Share    float64
	Yes      bool
	List     []string
	Empty    []string
	Map      map[string]int
	Nested   []struct{ A, B int }
}

// Values come back from Valkey as they were, with fractions of seconds.
func TestRoundTrip(t *testing.T) {
	at := time.Date(2024, 2, 29, 23, 59, 59, 123_456_000, time.UTC)
	id, name := uuid.MustParse("018e0000-0000-7000-8000-000000000001"), "é"
	want := everything{
		ID: id, Optional: &id, At: at, Maybe: &at, JSON: json.RawMessage(`{"a": [1, 2.50, null]}`),
		Text: "a\x00b\u2028", Name: &name, Bytes: []byte{0, 255}, Count: -1 << 62, Small: 7, Share: 0.1, Yes: true,
		List: []string{"", "b"}, Empty: []string{}, Map: map[string]int{"x": 1}, Nested: []struct{ A, B int }{{1, 2}},
	}
	cfg := cacheutil.Config{URL: testenv.CacheURL(t), Prefix: prefix(t)}
	writer, reader := openLive(t, cfg), openLive(t, cfg)
	read := func(m *cacheutil.Manager, load func(context.Context) (everything, error)) everything {
		t.Helper()
		c, err := cacheutil.New(m, cacheutil.Options[everything]{Name: "everything"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(t.Context(), "k", load)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	read(writer, func(context.Context) (everything, error) { return want, nil })
	got := read(reader, func(context.Context) (everything, error) {
		t.Error("Valkey has no value")
		return everything{}, nil
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	entry, err := reader.Peek(t.Context(), "k")
	if err != nil || !json.Valid(entry.JSON) {
		t.Errorf("got %+v, %v", entry, err)
	}
	// A program that knows no such type shows it all the same.
	stranger := openLive(t, cfg)
	if entry, err := stranger.Peek(t.Context(), "k"); err != nil || !json.Valid(entry.JSON) {
		t.Errorf("got %+v, %v", entry, err)
	}
}

// touchyCodec is a program's own, which panics on what it does not know.
type touchyCodec struct{ broken *atomic.Bool }

func (c touchyCodec) Encode(value string) ([]byte, error) { return []byte(value), nil }

func (c touchyCodec) Decode(data []byte) (string, error) {
	if c.broken.Load() {
		panic("no such letter")
	}
	return string(data), nil
}

// A codec that panics is one that cannot read the value: it is loaded and replaced, and
// nobody is left waiting for a read that never ends.
func TestCodecThatPanics(t *testing.T) {
	cfg := cacheutil.Config{URL: testenv.CacheURL(t), Prefix: prefix(t)}
	broken := new(atomic.Bool)
	open := func() *cacheutil.Cache[string] {
		t.Helper()
		c, err := cacheutil.New(openLive(t, cfg), cacheutil.Options[string]{Name: "touchy", Codec: touchyCodec{broken}, HardTimeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := func(c *cacheutil.Cache[string], key, word string) {
		t.Helper()
		got, err := c.Get(t.Context(), key, func(context.Context) (string, error) { return word, nil })
		if err != nil || got != word {
			t.Errorf("%s: got %q, %v", key, got, err)
		}
	}
	writer := open()
	want(writer, "k", "old")
	want(writer, "l", "old")
	reader := open()
	broken.Store(true)
	want(reader, "k", "new")
	many, err := reader.GetMany(t.Context(), []string{"l"}, func(context.Context, []string) (map[string]string, error) {
		return map[string]string{"l": "new"}, nil
	})
	if err != nil || many["l"] != "new" {
		t.Errorf("got %v, %v", many, err)
	}
	broken.Store(false)
	want(reader, "k", "new")
}

// What cannot tell its version or size, as a nil that a load returns by mistake, ends
// neither the program nor the reads of others.
func TestVersionAndSizeThatPanic(t *testing.T) {
	type row struct{ version, size int }
	nothing := func(context.Context) (*row, error) { return nil, nil } //nolint:nilnil // the mistake
	for name, url := range map[string]string{"memory": "", "valkey": testenv.CacheURL(t)} {
		t.Run(name, func(t *testing.T) {
			c, err := cacheutil.New(open(t, cacheutil.Config{URL: url, Prefix: prefix(t)}), cacheutil.Options[*row]{
				Name: "rows", Version: func(r *row) int64 { return int64(r.version) }, HardTimeout: patience,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Get(t.Context(), "k", nothing)
			if err == nil || errors.Is(err, cacheutil.ErrHardTimeout) || !strings.Contains(err.Error(), "version") {
				t.Errorf("got %v", err)
			}
			sized, err := cacheutil.New(open(t, cacheutil.Config{URL: url, Prefix: prefix(t)}), cacheutil.Options[*row]{
				Name: "rows", Size: func(r *row) int { return r.size }, HardTimeout: patience,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := sized.Get(t.Context(), "k", nothing); err != nil || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
