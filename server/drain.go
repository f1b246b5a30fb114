package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// newcomerTimeout bounds the wait for connections that were made while the server drained:
// one that brings no request is not waited for any longer.
const newcomerTimeout = time.Second

// newcomers are the connections that were accepted while the server drained. net/http
// closes a connection whose request it reads while it shuts down, without an answer, so
// that these have to be gone before: each brings one request, as its answer says
// "Connection: close".
type newcomers struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	none  chan struct{} // closed when the last one has gone; nil while nobody waits
}

// note is a http.Server's ConnState while the server drains.
func (n *newcomers) note(conn net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch state {
	case http.StateNew:
		if n.conns == nil {
			n.conns = map[net.Conn]struct{}{}
		}
		n.conns[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(n.conns, conn)
		if len(n.conns) == 0 && n.none != nil {
			close(n.none)
			n.none = nil
		}
	default:
	}
}

// wait returns when all have gone, or it was long enough. Nobody may come meanwhile.
func (n *newcomers) wait(ctx context.Context, most time.Duration) {
	n.mu.Lock()
	if len(n.conns) == 0 {
		n.mu.Unlock()
		return
	}
	none := make(chan struct{})
	n.none = none
	n.mu.Unlock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-none:
	case <-timer.C:
	case <-ctx.Done():
	}
}
