package cacheutil

import "sync"

// waiters wait for another process's load. There is a channel for each key that
// is waited for, not for each key that ever was.
type waiters struct {
	mu    sync.Mutex
	byKey map[string]*waiter
}

type waiter struct {
	woken chan struct{}
	count int
}

// add begins to wait. It comes before the question whether there is something to
// wait for, so that no wake is missed; done ends it.
func (w *waiters) add(key string) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, ok := w.byKey[key]
	if !ok {
		one = &waiter{woken: make(chan struct{})}
		w.byKey[key] = one
	}
	one.count++
	return one
}

func (w *waiters) done(key string, one *waiter) {
	if one == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if one.count--; one.count == 0 && w.byKey[key] == one {
		delete(w.byKey, key)
	}
}

func (w *waiters) wake(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one, ok := w.byKey[key]; ok {
		close(one.woken)
		delete(w.byKey, key)
	}
}

func (w *waiters) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, one := range w.byKey {
		close(one.woken)
		delete(w.byKey, key)
	}
}
