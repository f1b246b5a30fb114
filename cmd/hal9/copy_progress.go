package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/hal9-ai/hal9/transfer/copydb"
)

// copyProgress shows how far a copy is: by a bar for each phase where a person looks
// on, otherwise by a line now and then.
type copyProgress struct {
	w        io.Writer
	terminal bool
	bar      *barProgress
	phase    string
	last     time.Time
}

func showCopying(w io.Writer) *copyProgress {
	return &copyProgress{w: w, terminal: isTerminal(w), last: time.Now()}
}

func (p *copyProgress) update(u copydb.Progress) {
	if !p.terminal {
		if time.Since(p.last) >= lineEvery {
			p.last = time.Now()
			_, _ = fmt.Fprintf(p.w, "hal9: %s %s: %d of %d rows\n", u.Phase, u.Table, u.Done, u.Total) // progress is not worth a failure
		}
		return
	}
	if p.phase != u.Phase || p.bar == nil {
		p.stop()
		p.phase, p.bar = u.Phase, &barProgress{w: p.w}
	}
	p.bar.show(u.Phase+" "+u.Table, u.Done, u.Total)
}

// tell writes a sentence between the bars.
func (p *copyProgress) tell(sentence string) {
	p.stop()
	_, _ = fmt.Fprintln(p.w, "hal9: "+sentence) // as above
}

func (p *copyProgress) stop() {
	if p.bar != nil {
		p.bar.stop()
		p.bar = nil
	}
}

// show draws the bar under a name.
func (b *barProgress) show(name string, done, total int64) {
	b.mu.Lock()
	b.table = name
	b.mu.Unlock()
	if b.bar == nil {
		b.start(total)
	}
	b.bar.SetCurrent(done)
}

func newLineEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}
