package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// bulkProof is what a stream must bring, or its end, within bulkProofTime to take the
	// place of a slow one.
	bulkProof     = 64 << 10
	bulkProofTime = time.Second
	// bulkProving bounds how many prove themselves at a time, and so their memory to that
	// of one stream.
	bulkProving = 1000
	// bulkPlaceWait is how long such a stream waits for a place: a slow one has to be found,
	// and commits what it has.
	bulkPlaceWait = 3 * time.Second
	// bulkPlaceLook is how often it looks for a slow one.
	bulkPlaceLook = 50 * time.Millisecond
	// bulkShort is for how long after places were short all must prove themselves.
	bulkShort = 10 * time.Second
	// bulkWindow is over how much waiting for a client its rate is judged.
	bulkWindow = time.Second
)

var errBulkSlow = errors.New("another stream needed the place of a slow one")

// bulkPlaces are the places of streams. All are given to who comes first, fast or slow;
// once all are taken, a stream that its client feeds has the place of one whose client
// drips. For some time after that a place that becomes free is for who proves himself too:
// given to who comes first, it would go to the next one that drips, and each stream that is
// fed would wait until that is known to be slow. So clients that drip, however many, keep nobody out, and a slow stream that is
// in nobody's way goes on.
type bulkPlaces struct {
	places  chan struct{}
	proving chan struct{}

	mu     sync.Mutex
	bodies map[*patientBody]struct{} // of those that have a place
	short  time.Time                 // when a stream found no place last
}

func newBulkPlaces(most int) *bulkPlaces {
	return &bulkPlaces{places: make(chan struct{}, most), proving: make(chan struct{}, bulkProving), bodies: map[*patientBody]struct{}{}}
}

// take gives a stream a place, or says why it has none. Who has one calls leave.
func (p *bulkPlaces) take(ctx context.Context, body *patientBody) *problem {
	if !p.takeFree(time.Now()) {
		if refusal := p.displace(ctx, body); refusal != nil {
			return refusal
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bodies[body] = struct{}{}
	return nil
}

// takeFree takes a place that is free, unless they were short a moment ago.
func (p *bulkPlaces) takeFree(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.short.IsZero() && now.Sub(p.short) < bulkShort {
		return false
	}
	select {
	case p.places <- struct{}{}:
		return true
	default:
		p.short = now
		return false
	}
}

// displace gives a stream that proves itself the next place that becomes free, which it
// has a slow one give up.
func (p *bulkPlaces) displace(ctx context.Context, body *patientBody) *problem {
	select {
	case p.proving <- struct{}{}:
		defer func() { <-p.proving }()
	default:
		return p.full()
	}
	if !prove(body) {
		return p.full()
	}
	timer := time.NewTimer(bulkPlaceWait)
	defer timer.Stop()
	look := time.NewTicker(bulkPlaceLook)
	defer look.Stop()
	for ended := false; ; {
		if b := p.slowest(); !ended && b != nil {
			ended = true
			b.end(errBulkSlow)
		}
		select { // who waits here is served before who comes
		case p.places <- struct{}{}:
			return nil
		case <-look.C:
		case <-timer.C:
			return p.full()
		case <-ctx.Done():
			return p.full() // nobody reads it
		}
	}
}

func (p *bulkPlaces) leave(body *patientBody) {
	p.mu.Lock()
	delete(p.bodies, body)
	p.mu.Unlock()
	<-p.places
}

func (p *bulkPlaces) full() *problem {
	return newProblem(http.StatusServiceUnavailable, fmt.Sprintf("%d streams are under way or were a moment ago, which is ingest.bulk_streams; try again later, or bring the lines faster", cap(p.places))).
		with("Retry-After", "5").with("Connection", "close")
}

// slowest is a stream whose client drips, nil if there is none.
func (p *bulkPlaces) slowest() *patientBody {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	var slowest *patientBody
	least := 0.0
	for b := range p.bodies {
		if rate, slow := b.slow(now); slow && (slowest == nil || rate < least) {
			slowest, least = b, rate
		}
	}
	return slowest
}

// prove reads the beginning of a stream, which then is read from memory; false says that
// it does not come.
func prove(body *patientBody) bool {
	if err := body.control.SetReadDeadline(time.Now().Add(bulkProofTime)); err != nil {
		return false // the connection is gone
	}
	var begin bytes.Buffer
	_, err := io.CopyN(&begin, body.body, bulkProof)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	body.body = io.MultiReader(&begin, body.body)
	return true
}

// waiting notes that the server waits for the client.
func (b *patientBody) waiting(now time.Time) {
	if b.waited >= bulkWindow { // judge it by what it does now
		b.waited, b.brought = 0, 0
	}
	b.since = now
}

// got notes what a wait brought.
func (b *patientBody) got(n int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waited += now.Sub(b.since)
	b.brought += int64(n)
	b.since = time.Time{}
}

// slow tells whether the client brings less, while it is waited for, than it must to keep
// its place, and how much that is in bytes a second.
func (b *patientBody) slow(now time.Time) (rate float64, slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since.IsZero() || b.stopped != nil {
		return 0, false
	}
	waited := b.waited + now.Sub(b.since)
	rate = float64(b.brought) / max(waited.Seconds(), 1e-9)
	return rate, waited >= bulkWindow && rate < float64(b.least)
}
