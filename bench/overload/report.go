package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// report is all that was measured.
type report struct {
	Cores    string       `json:"cores"`
	TargetMS float64      `json:"target_ms"`
	Overload []engineRows `json:"overload"`
	Disturb  []row        `json:"disturbances"`
}

// engineRows are the loads of one engine.
type engineRows struct {
	Engine string `json:"engine"`
	Rows   []row  `json:"loads"`
}

// row is one load.
type row struct {
	figures

	Name string `json:"name"`
	// Share is the goodput as a share of the peak's.
	Share float64 `json:"share_of_peak,omitempty"`
	// Health and Ready are the probes' worst answers meanwhile, in milliseconds.
	Health probe `json:"health"`
	Ready  probe `json:"readiness"`
	// Beside is what the disturbance itself saw.
	Beside string `json:"beside,omitempty"`
}

// probe is what a probe on a connection of its own saw.
type probe struct {
	Asked  int     `json:"asked"`
	Failed int     `json:"failed"`
	MaxMS  float64 `json:"max_ms"`
}

// watch asks a probe until the context ends.
func (p *probe) watch(ctx context.Context, s *service, path string, every time.Duration) {
	c := &conn{address: s.address}
	defer c.close()
	text := request("GET", path, "", "", "")
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		begin := time.Now()
		a, err := s.ask(ctx, c, text)
		if ctx.Err() != nil {
			return
		}
		p.Asked++
		p.MaxMS = max(p.MaxMS, float64(time.Since(begin).Microseconds())/1000)
		if err != nil || a.status != 200 {
			p.Failed++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// measure runs a load with the probes beside it.
func measure(ctx context.Context, s *service, name string, l load) row {
	r := row{Name: name}
	further := l.beside
	l.beside = func(ctx context.Context) {
		var probes sync.WaitGroup
		probes.Go(func() { r.Health.watch(ctx, s, "/health", 50*time.Millisecond) })
		probes.Go(func() { r.Ready.watch(ctx, s, "/readyz", 250*time.Millisecond) })
		if further != nil {
			probes.Go(func() { further(ctx) })
		}
		probes.Wait()
	}
	r.figures = l.run(ctx, s)
	return r
}

// overload measures the peak of an engine, and what multiples of it do.
func (r *report) overload(ctx context.Context, o options, engine string, progress io.Writer) (err error) {
	s, err := start(ctx, o, engine, o.pin("0"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	const users, more = 256, 1000 // more as the performance target has it
	all := engineRows{Engine: s.name}
	l := load{deck: s.deck, clients: users, target: o.target, took: o.took / 3}
	l.run(ctx, s) // warms up
	l.took = o.took
	_, _ = fmt.Fprintln(progress, s.name+": the peak")
	peak := measure(ctx, s, fmt.Sprintf("peak, %d users in a closed loop", users), l)
	peak.Share = 1
	top := peak.perSecond(peak.Good)
	l.clients = more
	crowd := measure(ctx, s, fmt.Sprintf("%d users in a closed loop", more), l)
	crowd.Share = crowd.perSecond(crowd.Good) / top
	all.Rows = append(all.Rows, peak, crowd)
	for _, times := range []float64{1, 2, 5} {
		_, _ = fmt.Fprintf(progress, "%s: %.0f times the peak\n", s.name, times)
		l.clients, l.rate = o.clients, times*top
		one := measure(ctx, s, fmt.Sprintf("%.0f × the peak, open loop", times), l)
		one.Share = one.perSecond(one.Good) / top
		all.Rows = append(all.Rows, one)
	}
	_, _ = fmt.Fprintf(progress, "%s: five times the peak, of clients that wait when they are told\n", s.name)
	l.patient = true
	heeded := measure(ctx, s, "5 × the peak, clients heed Retry-After", l)
	heeded.Share = heeded.perSecond(heeded.Good) / top
	all.Rows = append(all.Rows, heeded)
	r.Overload = append(r.Overload, all)
	return nil
}

// print writes what was measured for people.
func (r *report) print(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "Cores: %s. A good answer is 2xx within %.0f ms. Times are from sending to the whole answer, in ms. Early came before their Retry-After was over, and count for nothing else.\n\n", r.Cores, r.TargetMS)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range r.Overload {
		_, _ = fmt.Fprintf(t, "%s\tsent/s\tgood/s\tof peak\tlate/s\trefused/s\tearly/s\tother\tbroken\tok p50\tp99\trefused p50\tp99\tmax\tearly p50\tp99\thealth max\tready max\tcores: server\tgenerator\n", e.Engine)
		for i := range e.Rows {
			e.Rows[i].write(t, fmt.Sprintf("%.1f %%", 100*e.Rows[i].Share))
		}
		_, _ = fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	for i := range r.Disturb {
		d := &r.Disturb[i]
		_, _ = fmt.Fprintf(w, "%-34s others: %.0f/s good, p50 %.1f, p99 %.1f, max %.1f ms; %d refused or early, %d other, %d broken; health max %.1f, readiness max %.1f ms (%d failed)\n",
			d.Name, d.perSecond(d.Good), d.OK.P50, d.OK.P99, d.OK.Max, d.Refused+d.Early, d.Other, d.Broken, d.Health.MaxMS, d.Ready.MaxMS, d.Health.Failed+d.Ready.Failed)
		if d.Beside != "" {
			_, _ = fmt.Fprintf(w, "%-34s %s\n", "", d.Beside)
		}
	}
	return nil
}

func (r *row) write(w io.Writer, share string) {
	health, ready := fmt.Sprintf("%.0f", r.Health.MaxMS), fmt.Sprintf("%.0f", r.Ready.MaxMS)
	for text, p := range map[*string]*probe{&health: &r.Health, &ready: &r.Ready} {
		if p.Failed > 0 {
			*text += fmt.Sprintf(" (%d failed)", p.Failed)
		}
	}
	_, _ = fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%s\t%.0f\t%.0f\t%.0f\t%d\t%d\t%.0f\t%.0f\t%.1f\t%.1f\t%.0f\t%.0f\t%.0f\t%s\t%s\t%.2f\t%.2f\n", r.Name,
		r.perSecond(r.Asked-r.Unsent), r.perSecond(r.Good), share, r.perSecond(r.Late), r.perSecond(r.Refused), r.perSecond(r.Early), r.Other, r.Broken,
		r.OK.P50, r.OK.P99, r.Shed.P50, r.Shed.P99, r.Shed.Max, r.Soon.P50, r.Soon.P99, health, ready, r.ServerCores, r.GeneratorCores)
	if r.FirstOther != "" {
		_, _ = fmt.Fprintf(w, "  an answer of other or broken: %.150q\n", r.FirstOther)
	}
}
