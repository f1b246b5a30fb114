package cacheutil_test

import (
	"context"
	"encoding/json"
	"reflect"
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
