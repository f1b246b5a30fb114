package subprocess

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// child is one process, from its start to its end.
type child struct {
	cmd         *exec.Cmd
	idle, stuck time.Duration
	log         *slog.Logger

	in io.WriteCloser
	// requests has room for all that may be under way, so that nobody waits for a child
	// that reads nothing.
	requests chan request

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan []byte // closed without an answer when the child ends
	closed  bool
	dead    bool
	timer   *time.Timer // ends it when it is idle

	heard atomic.Int64 // when it answered last or had nothing to do, in ns
	done  chan struct{}
	exit  error // how it ended, after done
}

// request is one on its way to the child.
type request struct {
	id      uint64
	payload []byte
}

// ask sends a request. The answer's channel is closed without one if the child ends.
func (c *child) ask(payload []byte) <-chan []byte {
	answer := make(chan []byte, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || c.closed {
		close(answer)
		return answer
	}
	if len(c.waiting) == 0 {
		c.heard.Store(time.Now().UnixNano())
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.next++
	c.waiting[c.next] = answer
	c.requests <- request{c.next, payload} // has room for it
	return answer
}

// send writes the requests until the child ends.
func (c *child) send() {
	for {
		select {
		case r := <-c.requests:
			if err := writeFrame(c.in, r.id, r.payload); err != nil {
				c.mu.Lock()
				c.dead = true // though its end was not seen yet: the next try must not meet it again
				c.mu.Unlock()
				c.kill()
				return
			}
		case <-c.done:
			return
		}
	}
}

// run hands out the answers until the child ends.
func (c *child) run(out io.Reader, greeted chan<- error) {
	id, _, err := readFrame(out)
	if err == nil && id != hello {
		err = fmt.Errorf("its first frame is number %d", id)
	}
	greeted <- err
	for err == nil {
		var payload []byte
		if id, payload, err = readFrame(out); err == nil {
			c.answered(id, payload)
		}
	}
	c.kill()
	exit := c.cmd.Wait()
	c.mu.Lock()
	lost, wanted := len(c.waiting), c.closed
	c.dead, c.exit = true, exit
	for id, answer := range c.waiting {
		delete(c.waiting, id)
		close(answer)
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	_ = c.in.Close() // the other end is gone
	c.mu.Unlock()
	close(c.done)
	if !wanted {
		c.log.WarnContext(context.Background(), "a child process ended", slog.Any("error", exit), slog.Int("requests_under_way", lost))
	}
}

func (c *child) answered(id uint64, payload []byte) {
	c.heard.Store(time.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.waiting[id]
	if !ok {
		return
	}
	delete(c.waiting, id)
	answer <- payload // has room for it
	c.restLocked()
}

// rest has the child ended after a while if it has nothing to do.
func (c *child) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restLocked()
}

func (c *child) restLocked() {
	if len(c.waiting) > 0 || c.dead {
		return
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(c.idle, c.endIdle)
	} else {
		c.timer.Reset(c.idle)
	}
}

// endIdle ends a child that has nothing to do.
func (c *child) endIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 && !c.closed {
		c.closed = true
		_ = c.in.Close() // which it takes for its end
	}
}

// close ends the child by the end of its input.
func (c *child) close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		_ = c.in.Close() // as above
	}
	c.mu.Unlock()
	timer := time.NewTimer(c.stuck)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.kill()
		<-c.done
	}
}

// ended tells whether nothing can be asked of it any more.
func (c *child) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead || c.closed
}

// checkStuck kills a child that answers nothing.
func (c *child) checkStuck() {
	if time.Since(time.Unix(0, c.heard.Load())) >= c.stuck {
		c.kill()
	}
}

func (c *child) kill() { _ = c.cmd.Process.Kill() } // it may have ended
