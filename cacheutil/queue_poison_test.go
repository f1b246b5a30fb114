package cacheutil_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// letters collects what OnDeadLetter is told.
type letters struct {
	mu   sync.Mutex
	keys []string
}

func (l *letters) add(_ context.Context, letter cacheutil.DeadLetter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, letter.Key)
}

func (l *letters) sorted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.keys))
}

func TestQueueIsolatesPoison(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	options := db.options("thing")
	var told letters
	options.OnDeadLetter = told.add
	// Beside what the database refuses, some values fail without a word about whose
	// fault it is.
	options.Apply = func(ctx context.Context, batch []thing) error {
		for _, v := range batch {
			switch v.Body {
			case "fails":
				return errors.New("something went wrong")
			case "panics":
				panic("out of luck")
			}
		}
		return db.Apply(ctx, batch)
	}
	q := newQueue(t, m, options)
	stream := m.stream()

	good := map[string]thing{}
	for i := range 60 {
		v := thing{fmt.Sprint("good", i), 2, "queued"}
		good[v.Key] = v
		db.insert(t, v.Key)
		submit(t, q, v)
		switch i {
		case 10:
			submit(t, q, thing{"poison", 3, "poison"}, thing{"nul", 2, "a\x00b"})
			// The older value of a refused one was accepted too.
			submit(t, q, thing{"poison", 2, "queued"})
			db.insert(t, "poison", "nul")
			good["poison"] = thing{"poison", 2, "queued"}
			good["nul"] = thing{"nul", 1, "first"}
		case 20:
			do(t, m, "XADD", stream, "*", "key", "undecodable", "version", "2", "epoch", "0", "data", "\xff\xff")
			do(t, m, "XADD", stream, "*", "key", "unversioned", "version", "two", "data", "")
			do(t, m, "XADD", stream, "*", "something", "else")
		case 30:
			submit(t, q, thing{"failing", 2, "fails"}, thing{"panicking", 2, "panics"})
		}
	}
	db.insert(t, "failing", "panicking")
	run(t, q)
	testenv.Eventually(t, "the others are applied", func() bool { return q.Stats(t.Context()).Applied == 61 })
	// Those that merely fail are given up when others keep succeeding.
	version := int64(100)
	testenv.Eventually(t, "nothing is left", func() bool {
		version++
		submit(t, q, thing{"good0", version, "later"})
		good["good0"] = thing{"good0", version, "later"}
		return q.Stats(t.Context()).Buried == 7
	})
	empty(t, q)
	good["failing"], good["panicking"] = thing{"failing", 1, "first"}, thing{"panicking", 1, "first"}

	for key, row := range db.all(t) {
		if row != good[key] {
			t.Errorf("got %v, want %v", row, good[key])
		}
	}
	reasons := map[string]string{
		"poison": "things_body_check", "nul": "22021", "undecodable": "decode the value", "unversioned": "version",
		"": "version", "failing": "something went wrong", "panicking": "out of luck",
	}
	list, err := q.DeadLetters(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(reasons) {
		t.Errorf("%d dead letters, want %d", len(list), len(reasons))
	}
	for _, letter := range list {
		if want := reasons[letter.Key]; want == "" || !strings.Contains(letter.Reason, want) || letter.Time.IsZero() {
			t.Errorf("letter %+v, want the reason to tell %q", letter, want)
		}
	}
	testenv.Eventually(t, "the last dead letter is told of", func() bool { return len(told.sorted()) == 7 })
	want := []string{"", "failing", "nul", "panicking", "poison", "undecodable", "unversioned"}
	if got := told.sorted(); !slices.Equal(got, want) {
		t.Errorf("OnDeadLetter was told of %q, want %q", got, want)
	}
	if s := q.Stats(t.Context()); s.Depth != 0 || s.Bytes != 0 || s.DeadLetters != 7 {
		t.Errorf("afterwards: %+v", s)
	}
}

// A refused batch is halved: the others are committed together, not one by one.
func TestQueueHalvesRefusedBatches(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	q := newQueue(t, m, db.options("thing"))
	var keys []string
	for i := range 128 {
		keys = append(keys, fmt.Sprint("k", i))
		body := "queued"
		if i == 5 || i == 100 {
			body = "poison"
		}
		submit(t, q, thing{keys[i], 2, body})
	}
	db.insert(t, keys...)
	run(t, q)
	left(t, q, 128)
	if s := q.Stats(t.Context()); s.Applied != 126 || s.Buried != 2 {
		t.Errorf("%d were applied and %d given up, want 126 and 2", s.Applied, s.Buried)
	}
	for key, row := range db.all(t) {
		if poison := key == "k5" || key == "k100"; poison == (row.Version == 2) {
			t.Errorf("%v", row)
		}
	}
	// Two ways down of seven halvings, each leaving a half aside.
	if calls := db.calls.Load(); calls > 32 {
		t.Errorf("it took %d calls", calls)
	}
}

func TestQueueBoundsDeadLetters(t *testing.T) {
	db := createThings(t)
	m := openManager(t, testenv.CacheURL(t))
	options := db.options("thing")
	options.DeadMaxLen = 5
	q := newQueue(t, m, options)
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprint("k", i))
		submit(t, q, thing{keys[i], 2, "poison"})
	}
	db.insert(t, keys...)
	run(t, q)
	left(t, q, 40)
	if s := q.Stats(t.Context()); s.DeadLetters != 5 || s.Buried != 40 {
		t.Errorf("%d letters are kept of %d, want 5 of 40", s.DeadLetters, s.Buried)
	}
	list, err := q.DeadLetters(t.Context(), 2)
	if err != nil || len(list) != 2 {
		t.Errorf("asked for 2 letters: %v, %v", list, err)
	}
}

// While the database is away nothing is given up, be it many values or few.
func TestQueueWaitsForTheDatabase(t *testing.T) {
	for _, n := range []int{1, 2, 100} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			db := createThings(t)
			m := openManager(t, testenv.CacheURL(t))
			q := newQueue(t, m, db.options("thing"))
			var keys []string
			for i := range n {
				keys = append(keys, fmt.Sprint("k", i))
				submit(t, q, thing{keys[i], 2, "queued"})
			}
			db.insert(t, keys...)
			db.away.Store(true)
			run(t, q)
			testenv.Eventually(t, "it was tried many times", func() bool { return db.calls.Load() >= int64(min(5*n+2, 14)) })
			if s := q.Stats(t.Context()); s.Depth != int64(n) || s.Buried != 0 || s.Failures == 0 || s.OldestAge <= 0 {
				t.Errorf("while the database is away: %+v", s)
			}
			calls := db.calls.Load()
			db.away.Store(false)
			left(t, q, int64(n))
			if s := q.Stats(t.Context()); s.Applied != int64(n) || s.Buried != 0 {
				t.Errorf("after its return: %+v", s)
			}
			// All go together, unless a round has begun before.
			if more := db.calls.Load() - calls; more > int64(n)+10 {
				t.Errorf("it took %d calls", more)
			}
			for key, row := range db.all(t) {
				if row.Version != 2 {
					t.Errorf("%s was not applied: %v", key, row)
				}
			}
		})
	}
}
