package cacheutil_test

import (
	"context"
	"net"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
)

// While Valkey is away no group has a generation that tells old reads from new ones. A
// read after a group was dropped joins no load from before all the same.
func TestAwayGroupJoinsNoEarlierLoad(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	m := open(t, cacheutil.Config{URL: "redis://" + listener.Addr().String(), Prefix: prefix(t)})
	c := wordCache(t, m, nil)
	begun, pass, first := make(chan struct{}), make(chan struct{}), make(chan string, 1)
	go func() {
		got, _ := c.GetInGroup(t.Context(), "g", "k", func(context.Context) (string, error) {
			close(begun)
			<-pass
			return "old", nil
		})
		first <- got
	}()
	<-begun
	m.InvalidateGroup(t.Context(), "g")
	second := make(chan string, 1)
	go func() {
		got, _ := c.GetInGroup(t.Context(), "g", "k", func(context.Context) (string, error) {
			return "new", nil
		})
		second <- got
		close(pass)
	}()
	select {
	case got := <-second:
		if got != "new" {
			t.Errorf("got %q", got)
		}
	case <-t.Context().Done():
	}
	<-first
}
