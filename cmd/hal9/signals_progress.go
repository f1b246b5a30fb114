package main

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/hal9-ai/hal9/server"
)

// signalsProgress shows how far a load of signals is: by a bar where a person looks on,
// otherwise by a line now and then.
type signalsProgress struct {
	size   int64        // of the file in bytes, 0 if nobody knows
	read   atomic.Int64 // bytes of the file
	stored atomic.Int64 // lines decided

	quit func()
}

func showSignals(w io.Writer, file string, size int64) *signalsProgress {
	p := &signalsProgress{size: size}
	if isTerminal(w) {
		p.quit = p.bar(w)
		return p
	}
	p.quit = p.lines(w, file)
	return p
}

// reader counts what is read of the file.
func (p *signalsProgress) reader(from io.Reader) io.Reader { return &countingReader{from, &p.read} }

func (p *signalsProgress) committed(r server.BulkResult) { p.stored.Store(r.Received) }

// stop ends the showing.
func (p *signalsProgress) stop() { p.quit() }

// bar is drawn by the bytes of the file, since nobody knows how many lines it has.
func (p *signalsProgress) bar(w io.Writer) (stop func()) {
	const width, refresh = 60, 200 * time.Millisecond
	container := mpb.New(mpb.WithOutput(w), mpb.WithWidth(width), mpb.WithRefreshRate(refresh), mpb.WithAutoRefresh())
	started := time.Now()
	bar := container.AddBar(p.size,
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			n := p.stored.Load()
			return fmt.Sprintf("%d signals, %.0f a second", n, float64(n)/max(time.Since(started).Seconds(), 0.001))
		})),
		mpb.AppendDecorators(decor.Percentage(), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 8}), "")),
	)
	quit := p.every(refresh, func() { bar.SetCurrent(p.read.Load()) })
	return func() {
		quit()
		bar.SetCurrent(p.read.Load())
		bar.Abort(false) // where it is not complete; the bar stays as it is
		container.Wait()
	}
}

// lines writes a line every few seconds, so that a log shows life.
func (p *signalsProgress) lines(w io.Writer, file string) (stop func()) {
	return p.every(lineEvery, func() {
		text := fmt.Sprintf("hal9: loading %s: %d signals", strconv.Quote(file), p.stored.Load())
		if p.size > 0 {
			text += fmt.Sprintf(", %d %% of the file", p.read.Load()*100/p.size)
		}
		_, _ = fmt.Fprintln(w, text) // progress is not worth a failure
	})
}

// every calls f again and again until it is stopped.
func (p *signalsProgress) every(interval time.Duration, f func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				f()
			}
		}
	}()
	return sync.OnceFunc(func() { close(quit); <-done })
}

type countingReader struct {
	from io.Reader
	n    *atomic.Int64
}

// Read counts what it reads.
func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	r.n.Add(int64(n))
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}
