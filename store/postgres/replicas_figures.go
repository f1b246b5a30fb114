package postgres

import (
	"sync"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// replicaFigures counts the reads that the primary answered in a replica's stead.
type replicaFigures struct {
	mu        sync.Mutex
	fallbacks map[string]int64
}

func (f *replicaFigures) fallback(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fallbacks == nil {
		f.fallbacks = map[string]int64{}
	}
	f.fallbacks[reason]++
}

// fallbackReasons are all of them, so that each has its series from the start.
func fallbackReasons() []string {
	return []string{fallbackUnknown, fallbackBehind, fallbackLagging, fallbackDown, fallbackLost, fallbackSlow, fallbackRefused}
}

// ReplicaStats tells how the replicas do, nil where there are none.
func (s *Store) ReplicaStats() *model.ReplicaStats {
	rs := s.replicas
	if rs == nil {
		return nil
	}
	out := &model.ReplicaStats{Fallbacks: map[string]int64{}}
	now := time.Now()
	for _, r := range rs.list {
		state := r.state.Load()
		st := model.ReplicaStat{Name: r.name, Reads: r.reads.Load(), LagKnown: !state.had.IsZero()}
		if recent := state.err == nil && now.Sub(state.covered) < 3*rs.interval(); st.LagKnown && (!state.caughtUp || !recent) {
			st.Lag = now.Sub(state.had)
		}
		st.Usable = state.err == nil && !r.held(now) && now.Sub(state.covered) <= rs.cfg.ReplicaMaxLag
		out.Replicas = append(out.Replicas, st)
	}
	rs.figures.mu.Lock()
	defer rs.figures.mu.Unlock()
	for _, reason := range fallbackReasons() {
		out.Fallbacks[reason] = rs.figures.fallbacks[reason]
	}
	return out
}
