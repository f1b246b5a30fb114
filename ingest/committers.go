package ingest

import (
	"slices"
	"time"
)

const (
	// crowd is how many signals have to wait for a second committer to pay. A commit costs
	// PostgreSQL what five signals cost, so that among so many it is a tenth.
	crowd = 50
	// A commit that takes patienceFactor times the usual is not waited for, nor one that
	// takes leastPatience where the usual is less, nor one that takes mostPatience.
	patienceFactor = 4
	leastPatience  = 10 * time.Millisecond
	mostPatience   = 500 * time.Millisecond
)

// committer is a goroutine that commits batches until it is not needed.
type committer struct {
	began time.Time // when it took its batch
}

// crew are the committers at work. A second one beside one whose commit is under way
// would only take that one's next batch from it, in parts, and each commit costs the
// database the same whatever is in it. So there is one, but for two cases: so many wait
// that what a commit costs hardly counts, or the commit under way takes much longer than
// usual, as on a connection that broke without a word. The methods are called with the
// group's mu held.
type crew struct {
	size int // at the most
	busy []*committer
	// usual is how long a commit takes, each counting for an eighth of the mean.
	usual time.Duration
	// alarm looks again when the commit under way has taken long; armed: it will.
	alarm *time.Timer
	armed bool
}

func (c *crew) patience() time.Duration {
	return min(max(patienceFactor*c.usual, leastPatience), mostPatience)
}

// wants tells whether a committer is wanted for so many that wait, beside those at work
// but for own.
func (c *crew) wants(waiting, many int, own *committer, now time.Time) bool {
	if waiting >= many {
		return true
	}
	for _, other := range c.busy {
		if other != own && now.Sub(other.began) < c.patience() {
			return false
		}
	}
	return true
}

// wait is how long it takes until all that are at work have taken long.
func (c *crew) wait(now time.Time) time.Duration {
	var last time.Time
	for _, other := range c.busy {
		if other.began.After(last) {
			last = other.began
		}
	}
	return last.Add(c.patience()).Sub(now)
}

func (c *crew) took(d time.Duration) { c.usual += (d - c.usual) / 8 }

func (c *crew) leave(own *committer) {
	c.busy = slices.DeleteFunc(c.busy, func(other *committer) bool { return other == own })
	if len(c.busy) == 0 && c.armed {
		c.alarm.Stop()
		c.armed = false
	}
}

// staff starts a committer for those that wait, if one is wanted, or looks again later.
// The caller knows of a submission under way, so that Close cannot have stopped waiting.
func (g *group) staff() {
	if len(g.queue) == 0 || len(g.crew.busy) >= g.crew.size {
		return
	}
	now := time.Now()
	if g.crew.wants(len(g.queue), g.many(), nil, now) {
		own := &committer{began: now}
		g.crew.busy = append(g.crew.busy, own)
		g.ingest.under.Add(1)
		go g.work(own)
		return
	}
	if g.crew.armed {
		return
	}
	g.crew.armed = true
	if wait := g.crew.wait(now); g.crew.alarm == nil {
		g.crew.alarm = time.AfterFunc(wait, g.lookAgain)
	} else {
		g.crew.alarm.Reset(wait)
	}
}

// lookAgain is called by the alarm.
func (g *group) lookAgain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.crew.armed {
		return // the last committer left meanwhile
	}
	g.crew.armed = false
	g.staff() // a committer is at work, for which Close waits
}

// many is how many have to wait for a second committer to pay: a full batch is enough.
func (g *group) many() int { return min(crowd, g.maxBatch) }
