package cachetest

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/cacheutil"
)

// runs keeps the keys of the model's runs apart.
//
//nolint:gochecknoglobals // see above
var runs atomic.Int64

// testModel does random operations on a cache over a map and compares every
// answer with the map. Any write is followed by Put or Invalidate, as after a
// commit.
func testModel(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	rapid.Check(t, func(t *rapid.T) {
		run := strconv.FormatInt(runs.Add(1), 10)
		key := rapid.Map(rapid.IntRange(0, 4), func(i int) string { return run + ":" + strconv.Itoa(i) })
		group := "group:" + run
		database := map[string]Row{}
		var version int64
		read := func(key string) (Row, error) {
			row, ok := database[key]
			if !ok {
				return row, cacheutil.ErrNotFound
			}
			return row, nil
		}
		sum := func() Row {
			total := Row{}
			for _, row := range database {
				total.Version += row.Version
			}
			return total
		}
		check := func(t *rapid.T, key string, got Row, err error) {
			want, wantErr := read(key)
			if got != want || !errors.Is(err, wantErr) {
				t.Fatalf("%s: got %+v, %v, want %+v, %v", key, got, err, want, wantErr)
			}
		}
		ctx := context.Background()
		write := func(key string) Row {
			version++
			row := Row{Text: strconv.FormatInt(version, 10), Version: version}
			database[key] = row
			return row
		}
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				key := key.Draw(t, "key")
				got, err := c.Get(ctx, key, func(context.Context) (Row, error) { return read(key) })
				check(t, key, got, err)
			},
			"get many": func(t *rapid.T) {
				keys := rapid.SliceOf(key).Draw(t, "keys")
				got, err := c.GetMany(ctx, keys, func(_ context.Context, missing []string) (map[string]Row, error) {
					rows := map[string]Row{}
					for _, key := range missing {
						if row, ok := database[key]; ok {
							rows[key] = row
						}
					}
					return rows, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range keys {
					row, ok := got[key]
					err := error(nil)
					if !ok {
						err = cacheutil.ErrNotFound
					}
					check(t, key, row, err)
				}
			},
			"get all of the group": func(t *rapid.T) {
				got, err := c.GetInGroup(ctx, group, run+":sum", func(context.Context) (Row, error) { return sum(), nil })
				if err != nil || got != sum() {
					t.Fatalf("got %+v, %v, want %+v", got, err, sum())
				}
			},
			"write and put": func(t *rapid.T) {
				key := key.Draw(t, "key")
				c.Put(ctx, key, write(key))
				m.InvalidateGroup(ctx, group)
			},
			"write and invalidate": func(t *rapid.T) {
				key := key.Draw(t, "key")
				row := write(key)
				c.Invalidate(ctx, key, row.Version)
				m.InvalidateGroup(ctx, group)
			},
			"write twice and tell in the wrong order": func(t *rapid.T) {
				key := key.Draw(t, "key")
				first, second := write(key), write(key)
				c.Put(ctx, key, second)
				if rapid.Bool().Draw(t, "put") {
					c.Put(ctx, key, first)
				} else {
					c.Invalidate(ctx, key, first.Version)
				}
				m.InvalidateGroup(ctx, group)
			},
			"delete": func(t *rapid.T) {
				key := key.Draw(t, "key")
				version++
				delete(database, key)
				c.Invalidate(ctx, key, version)
				m.InvalidateGroup(ctx, group)
			},
			"drop": func(t *rapid.T) {
				m.InvalidateKeys(ctx, key.Draw(t, "key"), key.Draw(t, "another"))
			},
		})
	})
}
