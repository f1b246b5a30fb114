package cacheutil_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/cacheutil"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func keyOf(i int) string { return "k" + strconv.Itoa(i) }

// ask sends a command to Valkey.
func ask(tb testing.TB, client valkey.Client, words ...string) {
	tb.Helper()
	if err := client.Do(tb.Context(), client.B().Arbitrary(words...).Build()).Error(); err != nil {
		tb.Fatalf("%v: %v", words, err)
	}
}

// connect returns a plain client.
func connect(tb testing.TB, url string) valkey.Client {
	tb.Helper()
	option, err := cacheutil.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	option.DisableCache = true
	client, err := valkey.NewClient(option)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}
