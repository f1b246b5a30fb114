package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/hal9-ai/hal9/loadtest"
)

// loadBar shows a bar on a terminal.
type loadBar struct {
	w         io.Writer
	container *mpb.Progress
	bar       *mpb.Bar

	mu   sync.Mutex // the bar is drawn by a goroutine of its own
	last loadtest.Progress
}

func (b *loadBar) update(p loadtest.Progress) {
	if p.Total == 0 {
		_, _ = fmt.Fprintln(b.w, "Preparing accounts.") // hashing their passwords takes a while
		return
	}
	b.mu.Lock()
	b.last = p
	b.mu.Unlock()
	if b.bar == nil {
		b.start(p.Total)
	}
	b.bar.SetCurrent(p.Elapsed.Milliseconds())
}

func (b *loadBar) start(total time.Duration) {
	const width, refresh = 40, 200 * time.Millisecond
	b.container = mpb.New(mpb.WithOutput(b.w), mpb.WithWidth(width), mpb.WithRefreshRate(refresh), mpb.WithAutoRefresh())
	b.bar = b.container.AddBar(total.Milliseconds(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.last.Elapsed.Round(time.Second).String() + " of " + total.Round(time.Second).String() + " "
		})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return " " + figuresNow(&b.last)
		})),
	)
}

func (b *loadBar) stop() {
	if b.bar == nil {
		return
	}
	b.bar.Abort(false) // where it is not complete; the bar stays as it is
	b.container.Wait()
	b.bar = nil
}

// figuresNow tells of the last second.
func figuresNow(p *loadtest.Progress) string {
	return fmt.Sprintf("%d users, %.0f requests/s, p50 %v, p99 %v, %d failed",
		p.Users, p.RequestsPerSecond, p.P50.Round(10*time.Microsecond), p.P99.Round(10*time.Microsecond), p.Failed)
}

// loadLines writes a line every few seconds.
type loadLines struct {
	w    io.Writer
	next time.Duration
}

func (l *loadLines) update(p loadtest.Progress) {
	if p.Total == 0 {
		_, _ = fmt.Fprintln(l.w, "hal9: preparing accounts") // progress is not worth a failure
		return
	}
	if p.Elapsed < l.next {
		return
	}
	l.next = p.Elapsed + lineEvery
	_, _ = fmt.Fprintf(l.w, "hal9: %v of %v: %s\n", p.Elapsed.Round(time.Second), p.Total.Round(time.Second), figuresNow(&p))
}

func (*loadLines) stop() {}
