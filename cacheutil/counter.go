package cacheutil

import (
	"math/rand/v2"
	"sync/atomic"
)

const counterCells = 8

// counter is a counter that many cores add to without waiting for each other.
type counter struct {
	cells [counterCells]struct {
		atomic.Int64
		// A cache line of its own.
		_ [56]byte
	}
}

func (c *counter) inc() {
	c.cells[rand.Uint32()%counterCells].Add(1) //nolint:gosec // spreads load, no secret
}

func (c *counter) load() int64 {
	var sum int64
	for i := range c.cells {
		sum += c.cells[i].Load()
	}
	return sum
}
