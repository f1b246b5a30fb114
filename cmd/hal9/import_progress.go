package main

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/hal9-ai/hal9/transfer"
)

// progress shows how far an import is: by a bar where a person looks on, otherwise
// by a line now and then.
type progress interface {
	update(p transfer.Progress)
	// stop ends the showing; calling it again does nothing.
	stop()
}

func showProgress(w io.Writer, file string) progress {
	if isTerminal(w) {
		_, _ = fmt.Fprintf(w, "Checking %q.\n", file) // silent until then, a large file seems to hang
		return &barProgress{w: w}
	}
	return newLineProgress(w, file)
}

// barProgress shows a bar on a terminal from the first chunk on.
type barProgress struct {
	w         io.Writer
	container *mpb.Progress
	bar       *mpb.Bar

	mu    sync.Mutex // the bar is drawn by a goroutine of its own
	table string
}

func (b *barProgress) update(p transfer.Progress) {
	b.mu.Lock()
	b.table = p.Table
	b.mu.Unlock()
	if b.bar == nil {
		b.start(p.Total)
	}
	b.bar.SetCurrent(p.Done)
}

func (b *barProgress) start(total int64) {
	const width, refresh = 60, 200 * time.Millisecond
	b.container = mpb.New(mpb.WithOutput(b.w), mpb.WithWidth(width), mpb.WithRefreshRate(refresh), mpb.WithAutoRefresh())
	b.bar = b.container.AddBar(total,
		mpb.PrependDecorators(
			decor.Any(func(decor.Statistics) string {
				b.mu.Lock()
				defer b.mu.Unlock()
				return b.table
			}),
			decor.CountersNoUnit(" %d/%d"),
		),
		mpb.AppendDecorators(
			decor.Percentage(),
			decor.AverageSpeed(0, " %.0f rows/s"),
			decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 8}), ""),
		),
	)
}

func (b *barProgress) stop() {
	if b.bar == nil {
		return
	}
	b.bar.Abort(false) // where it is not complete; the bar stays as it is
	b.container.Wait()
	b.bar = nil
}

// lineProgress writes a line every few seconds, so that a log shows life.
type lineProgress struct {
	once sync.Once
	quit chan struct{}
	done chan struct{}

	mu   sync.Mutex
	last transfer.Progress
}

const lineEvery = 5 * time.Second

func newLineProgress(w io.Writer, file string) *lineProgress {
	l := &lineProgress{quit: make(chan struct{}), done: make(chan struct{})}
	go l.run(w, file)
	return l
}

func (l *lineProgress) run(w io.Writer, file string) {
	defer close(l.done)
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-tick.C:
			l.mu.Lock()
			p := l.last
			l.mu.Unlock()
			_, _ = fmt.Fprintln(w, "hal9: "+describe(p, file)) // progress is not worth a failure
		}
	}
}

func describe(p transfer.Progress, file string) string {
	if p.Table == "" {
		return "checking " + strconv.Quote(file)
	}
	percent := int64(100)
	if p.Total > 0 {
		percent = p.Done * 100 / p.Total
	}
	return fmt.Sprintf("importing %s: %d of %d rows, %d %%", p.Table, p.Done, p.Total, percent)
}

func (l *lineProgress) update(p transfer.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = p
}

func (l *lineProgress) stop() {
	l.once.Do(func() { close(l.quit) })
	<-l.done
}
