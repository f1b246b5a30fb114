package ingest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hal9-ai/hal9/model"
)

// The states of a submission, from its arrival to its answer.
const (
	submissionWaiting int32 = iota
	submissionTaken
	submissionAbandoned // its caller left before a committer took it
)

// submission is one signal that waits for its commit.
type submission struct {
	signal   model.SignalInsertParams
	accepted time.Time
	state    atomic.Int32
	result   Result
	err      error
	answered chan struct{} // takes one word, of the committer, who lets go of it all by that
	span     trace.Span    // the request's, nil if it is not traced
	// caller is told how far the log came with the commit; nil if nobody asks.
	caller *model.Consistency
}

// used keeps what submissions that are over had, for the next ones.
type used struct{ submissions, timers sync.Pool }

func (u *used) submission() *submission {
	if s, ok := u.submissions.Get().(*submission); ok {
		return s
	}
	return &submission{answered: make(chan struct{}, 1)}
}

// over gives back a submission that was answered, so that nobody else has it.
func (u *used) over(s *submission) {
	*s = submission{answered: s.answered}
	u.submissions.Put(s)
}

func (u *used) timer(at time.Time) *time.Timer {
	if t, ok := u.timers.Get().(*time.Timer); ok {
		t.Reset(time.Until(at))
		return t
	}
	return time.NewTimer(time.Until(at))
}

// Untimed is a context whose deadline whoever waits may watch himself, by a timer that he
// has: under is a context that ends with this one but for the deadline. A timer that was
// made for one signal, and entered with all contexts above, costs as much as its insert.
type Untimed interface {
	context.Context
	Untimed() (under context.Context)
}

// wait waits for the answer; false says that ctx ended before.
func (s *submission) wait(ctx context.Context, u *used) bool {
	var late <-chan time.Time
	ends := ctx.Done
	if c, ok := ctx.(Untimed); ok {
		if deadline, ok := ctx.Deadline(); ok {
			timer := u.timer(deadline)
			defer func() {
				timer.Stop()
				u.timers.Put(timer)
			}()
			late, ends = timer.C, c.Untimed().Done
		}
	}
	select {
	case <-s.answered:
		return true
	case <-late:
	case <-ends():
	}
	return false
}
