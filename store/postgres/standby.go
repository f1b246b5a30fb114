package postgres

import (
	"errors"
	"sync"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// standbyPause bounds how often the pool is emptied: a database that is read-only on
// purpose must not cost every write a connection.
const standbyPause = time.Second

// standby remembers when the pool was last found to lead to a server that takes no
// writes.
type standby struct {
	mu   sync.Mutex
	left time.Time
}

// onPrimary runs a write, and once more on new connections if the engine refused it
// because it takes none (SQLSTATE 25006): after a failover or a change of names in DNS
// a pool may hold connections to what is a standby now, and would keep them until they
// grow old. A refused statement had no effect, so that it may be repeated.
func (s *Store) onPrimary(write func() error) error {
	if s.heldOff() {
		return &model.Error{Kind: model.ErrReadOnly}
	}
	err := write()
	if !errors.Is(err, model.ErrReadOnly) {
		return err
	}
	s.leaveStandby()
	return write()
}

// heldOff tells whether this process writes nothing at the moment.
func (s *Store) heldOff() bool { return s.cfg.ReadOnly != nil && s.cfg.ReadOnly() }

// leaveStandby has all connections replaced: those in use when they are given back.
func (s *Store) leaveStandby() {
	s.standby.mu.Lock()
	defer s.standby.mu.Unlock()
	if time.Since(s.standby.left) < standbyPause {
		return
	}
	s.standby.left = time.Now()
	s.pool.Reset()
}
