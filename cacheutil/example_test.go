package cacheutil_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
)

type User struct {
	Name    string
	Version int64
}

// users stands for a database.
type users map[string]User

func (u users) load(key string) func(context.Context) (User, error) {
	return func(context.Context) (User, error) {
		fmt.Println("load", key)
		user, ok := u[key]
		if !ok {
			return user, cacheutil.ErrNotFound
		}
		return user, nil
	}
}

func Example() {
	ctx := context.Background()
	manager, err := cacheutil.Open(ctx, cacheutil.Config{}) // in process memory alone
	if err != nil {
		fmt.Println(err)
		return
	}
	defer manager.Close()
	cache, err := cacheutil.New(manager, cacheutil.Options[User]{
		Name: "user", TTL: time.Minute, NegativeTTL: 10 * time.Second,
		Version: func(u User) int64 { return u.Version },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	database := users{"user:1": {Name: "Ada", Version: 1}}
	for range 2 {
		user, err := cache.Get(ctx, "user:1", database.load("user:1"))
		fmt.Println(user.Name, err)
	}
	database["user:1"] = User{Name: "Grace", Version: 2}
	cache.Invalidate(ctx, "user:1", 2) // after the commit
	user, err := cache.Get(ctx, "user:1", database.load("user:1"))
	fmt.Println(user.Name, err)

	for range 2 { // "not found" is kept too
		_, err = cache.Get(ctx, "user:2", database.load("user:2"))
		fmt.Println(errors.Is(err, cacheutil.ErrNotFound))
	}
	// Output:
	// load user:1
	// Ada <nil>
	// Ada <nil>
	// load user:1
	// Grace <nil>
	// load user:2
	// true
	// true
}

func newUsers() (*cacheutil.Manager, *cacheutil.Cache[User]) {
	manager, err := cacheutil.Open(context.Background(), cacheutil.Config{})
	if err != nil {
		panic(err)
	}
	cache, err := cacheutil.New(manager, cacheutil.Options[User]{
		Name: "user", Strategy: cacheutil.WriteThrough,
		Version: func(u User) int64 { return u.Version },
	})
	if err != nil {
		panic(err)
	}
	return manager, cache
}

func ExampleCache_Put() {
	ctx := context.Background()
	manager, cache := newUsers()
	defer manager.Close()
	// Two writers commit versions 1 and 2, and tell the cache in another order.
	cache.Put(ctx, "user:1", User{Name: "Grace", Version: 2})
	cache.Put(ctx, "user:1", User{Name: "Ada", Version: 1})
	user, err := cache.Get(ctx, "user:1", nil) // it is there: nothing is loaded
	fmt.Println(user.Name, err)
	// Output: Grace <nil>
}

func ExampleCache_GetMany() {
	ctx := context.Background()
	manager, cache := newUsers()
	defer manager.Close()
	cache.Put(ctx, "user:1", User{Name: "Ada", Version: 1})
	load := func(_ context.Context, missing []string) (map[string]User, error) {
		fmt.Println("load", slices.Sorted(slices.Values(missing)))
		return map[string]User{"user:2": {Name: "Grace", Version: 2}}, nil
	}
	found, err := cache.GetMany(ctx, []string{"user:1", "user:2", "user:3"}, load)
	fmt.Println(slices.Sorted(maps.Keys(found)), err)
	// Output:
	// load [user:2 user:3]
	// [user:1 user:2] <nil>
}

func ExampleCache_GetInGroup() {
	ctx := context.Background()
	manager, cache := newUsers()
	defer manager.Close()
	search := func(key string) {
		_, _ = cache.GetInGroup(ctx, "searches", key, func(context.Context) (User, error) {
			fmt.Println("search", key)
			return User{Name: "Ada"}, nil
		})
	}
	search("search:a")
	search("search:b")
	search("search:a")
	manager.InvalidateGroup(ctx, "searches") // whatever their keys were
	search("search:a")
	// Output:
	// search search:a
	// search search:b
	// search search:a
}

func ExampleSetTTL() {
	ctx := context.Background()
	manager, cache := newUsers()
	defer manager.Close()
	for range 2 {
		_, _ = cache.Get(ctx, "guest", func(ctx context.Context) (User, error) {
			fmt.Println("load")
			cacheutil.DoNotStore(ctx) // or SetTTL(ctx, time.Second)
			return User{Name: "guest"}, nil
		})
	}
	// Output:
	// load
	// load
}

func ExampleWithTrace() {
	ctx := context.Background()
	manager, cache := newUsers()
	defer manager.Close()
	ctx, trace := cacheutil.WithTrace(ctx)
	_, _ = cache.Get(ctx, "user:1", func(context.Context) (User, error) { return User{Name: "Ada"}, nil })
	fmt.Println("loads:", trace.Loads(), "stale:", trace.Stale())
	// Output: loads: 1 stale: false
}
