package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// disturb measures what clients who ask for little see, with and without others who ask
// for much: logins beyond what can be hashed, and bytes that drip.
func (r *report) disturb(ctx context.Context, o options, progress io.Writer) (err error) {
	// So short that who drips is cut off within the run.
	s, err := start(ctx, o, postgres, o.pin(allCores()), "HAL9_SERVER_READ_HEADER_TIMEOUT=2s", "HAL9_SERVER_READ_TIMEOUT=3s")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	l := load{deck: s.deck, clients: 256, target: o.target, took: o.took / 3}
	peak := l.run(ctx, s)
	l.rate, l.took = peak.perSecond(peak.Good+peak.Late)/4, o.took
	if o.only[flood] {
		_, _ = fmt.Fprintln(progress, "logins")
		r.Disturb = append(r.Disturb, measure(ctx, s, "a quarter of the peak", l))
		var logins figures
		flooded := l
		flooded.lead = lead
		flooded.beside = func(ctx context.Context) {
			deck := make([][]byte, accounts)
			for n := range deck {
				deck[n] = loginRequest(n)
			}
			logins = load{deck: deck, clients: 256, rate: 500, took: lead + l.took, target: time.Minute}.run(ctx, s)
		}
		d := measure(ctx, s, "the same, 500 logins a second", flooded)
		d.Beside = fmt.Sprintf("p99 %.2f times that without; logins: %.0f/s succeeded (p50 %.0f, p99 %.0f ms), %.0f/s refused (p50 %.1f, p99 %.1f ms), %d unsent, %d other, %d broken",
			d.OK.P99/r.Disturb[len(r.Disturb)-1].OK.P99, logins.perSecond(logins.Good+logins.Late), logins.OK.P50, logins.OK.P99,
			logins.perSecond(logins.Refused+logins.Early), max(logins.Shed.P50, logins.Soon.P50), max(logins.Shed.P99, logins.Soon.P99), logins.Unsent, logins.Other, logins.Broken)
		r.Disturb = append(r.Disturb, d)
	}
	if o.only[drip] {
		_, _ = fmt.Fprintln(progress, "dripping clients")
		without := l
		var healthy bulk
		without.beside = func(ctx context.Context) { healthy.run(ctx, s) }
		base := measure(ctx, s, "a quarter of the peak, streams", without)
		base.Beside = healthy.String()
		r.Disturb = append(r.Disturb, base)
		dripping := l
		dripping.lead = lead
		var drops drippers
		var beset bulk
		dripping.beside = func(ctx context.Context) {
			var both sync.WaitGroup
			both.Go(func() { drops.run(ctx, s) })
			both.Go(func() { beset.run(ctx, s) })
			both.Wait()
		}
		d := measure(ctx, s, "the same, 1000 clients drip", dripping)
		d.Beside = fmt.Sprintf("p99 %.2f times that without; %s; dripping: %s", d.OK.P99/base.OK.P99, beset.String(), drops.String())
		r.Disturb = append(r.Disturb, d)
	}
	return nil
}

// lead is for how long those who ask for much do so before the others are measured.
const lead = time.Second

// bulk is a healthy client that sends streams, one after the other.
type bulk struct {
	stored, refused, failed int
	slowest                 time.Duration
}

func (b *bulk) run(ctx context.Context, s *service) {
	c := &conn{address: s.address}
	defer c.close()
	lines := strings.Repeat(`{"content":"Plan the deployment of the new service","layer_to":"L3"}`+"\n", 500)
	stream := request("POST", "/api/v1/signals/bulk", "", "application/x-ndjson", lines)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		begin := time.Now()
		a, err := s.ask(ctx, c, stream)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && a.status == 200:
			b.stored++
			b.slowest = max(b.slowest, time.Since(begin))
		case err == nil && a.status == 503 && a.retryAfter > 0:
			b.refused++
		default:
			b.failed++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *bulk) String() string {
	return fmt.Sprintf("streams of 500 signals: %d stored (slowest %d ms), %d refused, %d failed", b.stored, b.slowest.Milliseconds(), b.refused, b.failed)
}

// every is how long a dripping client takes for a byte.
const every = 500 * time.Millisecond

// drippers are a thousand clients that send a byte each half second, none at the same
// moment by design: a third in the
// headers, a third in the body of a signal, a third in a stream. Who is cut off comes back.
type drippers struct{ cutHeaders, cutBodies, cutStreams, refused atomic.Int64 }

func (d *drippers) run(ctx context.Context, s *service) {
	const clients = 1000
	body := `{"content":"` + strings.Repeat("x", 1000)
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			select {
			case <-time.After(time.Duration(n) * every / clients):
			case <-ctx.Done():
			}
			for ctx.Err() == nil {
				switch n % 3 {
				case 0:
					d.drip(ctx, s, "", "GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Padding: "+strings.Repeat("x", 1000), &d.cutHeaders)
				case 1:
					d.drip(ctx, s, "POST /api/v1/signal HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n", body, &d.cutBodies)
				case 2:
					d.drip(ctx, s, "POST /api/v1/signals/bulk HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 2000\r\n\r\n", body, &d.cutStreams)
				}
			}
		})
	}
	all.Wait()
}

// drip sends the first part at once and the second byte by byte, until the server answers
// or hangs up.
func (d *drippers) drip(ctx context.Context, s *service, first, second string, cut *atomic.Int64) {
	c := &conn{address: s.address}
	if c.open(ctx) != nil {
		return
	}
	defer c.close()
	nc := c.nc
	ended := make(chan struct{})
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		defer close(ended)
		a, err := c.read()
		if ctx.Err() != nil {
			return
		}
		if err == nil && a.status == 503 {
			d.refused.Add(1)
		} else {
			cut.Add(1)
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Now()) })
	defer stop()
	_, err := nc.Write([]byte(first))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; err == nil && i < len(second); i++ {
		_, err = nc.Write([]byte{second[i]})
		select {
		case <-tick.C:
		case <-ended:
			i = len(second)
		case <-ctx.Done():
			i = len(second)
		}
	}
	if ctx.Err() != nil {
		_ = nc.SetDeadline(time.Now())
	}
	<-reading
	// Who was refused does not come back at once: that would be no dripping.
	select {
	case <-tick.C:
	case <-ctx.Done():
	}
}

func (d *drippers) String() string {
	return fmt.Sprintf("%d cut off in the headers, %d in a body, %d in a stream, %d refused", d.cutHeaders.Load(), d.cutBodies.Load(), d.cutStreams.Load(), d.refused.Load())
}
