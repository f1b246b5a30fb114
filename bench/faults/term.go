package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/bench/ledger"
)

// endServer ends the server by SIGTERM under load, and starts it again. With heed the load
// sends nothing while /readyz is off, as a balancer does; without, it sends until nobody
// listens any more.
func endServer(newDatabase func(context.Context, string) (database, error), heed bool) func(context.Context, options, *Row) error {
	return func(ctx context.Context, o options, r *Row) (err error) {
		s, err := open(ctx, o, newDatabase)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		if err := s.serve(ctx); err != nil {
			return err
		}
		if err := s.startLoad(ctx, ledger.Load{Workers: everything(), Heed: heed}); err != nil {
			return err
		}
		var ends []ending
		started := time.Now()
		for n := range r.Trials {
			recovered, err := s.recovery(ctx, started)
			if err != nil {
				return fmt.Errorf("after SIGTERM %d: %w", n, err)
			}
			if n > 0 {
				r.recovered(recovered)
			}
			e, err := s.endOnce(ctx, r, heed)
			if err != nil {
				return fmt.Errorf("SIGTERM %d: %w", n+1, err)
			}
			ends = append(ends, e)
			started = time.Now()
			if err := s.serve(ctx); err != nil {
				return err
			}
		}
		recovered, err := s.recovery(ctx, started)
		if err != nil {
			return err
		}
		r.recovered(recovered)
		if err := s.finish(ctx, r); err != nil {
			return err
		}
		if s.db.engine() == "SQLite" {
			if err := s.db.check(ctx); err != nil {
				return err
			}
		}
		noteEndings(r, ends, heed)
		return nil
	}
}

// ending is what one SIGTERM did.
type ending struct {
	unready, gone time.Duration
	// served were answered by a 2xx after the signal, refused found nobody who listens. Of
	// unread the kernel had taken the connection, and the server had not yet when it stopped
	// to listen; told are streams that were to go on elsewhere.
	served, refused, unread, told int
}

func (s *site) endOnce(ctx context.Context, r *Row, heed bool) (e ending, err error) {
	if err := atRandom(ctx, 200*time.Millisecond, 1200*time.Millisecond); err != nil {
		return e, err
	}
	signalled := time.Now()
	unready := make(chan time.Duration, 1)
	go func() { // ends when the server does, which End waits for
		for s.ready(ctx) == nil {
			if pause(ctx, poll) != nil {
				break
			}
		}
		unready <- time.Since(signalled)
	}()
	status, err := s.server.End()
	e.gone = time.Since(signalled)
	e.unready = <-unready
	if err != nil {
		return e, err
	}
	if status != 0 {
		r.breaksf("it exited with %d", status)
	}
	if e.unready >= e.gone {
		r.breaksf("it never said that it is not ready")
	}
	if !heed {
		// Whoever was under way has an answer, and writes it down.
		if _, err := s.await(ctx, signalled, "a refused connection", func(e ledger.Entry) bool { return e.Outcome == ledger.Away }); err != nil {
			return e, err
		}
	}
	return e, s.judgeEnding(r, &e, signalled, heed)
}

// judgeEnding counts what was answered since the signal. A request that the server took
// from the kernel has to be answered.
func (s *site) judgeEnding(r *Row, e *ending, signalled time.Time, heed bool) error {
	if err := s.pull(); err != nil {
		return err
	}
	var before time.Time
	for _, entry := range s.entries {
		if !entry.At.After(signalled) || entry.At.Equal(before) {
			continue
		}
		before = entry.At // the lines of a stream have one answer
		switch {
		case entry.Outcome == ledger.OK:
			e.served++
			continue
		case heed:
		case entry.Outcome == ledger.Away:
			e.refused++
			continue
		case entry.Status == 0 && strings.HasSuffix(entry.Said, "connection reset by peer"):
			e.unread++
			continue
		case entry.Kind == ledger.Bulk && entry.Status == http.StatusServiceUnavailable:
			e.told++
			continue
		}
		r.breaksf("%s, sent %.4f s and answered %.4f s after the signal: %s", entry.Kind,
			entry.Sent.Sub(signalled).Seconds(), entry.At.Sub(signalled).Seconds(), entry.Said)
	}
	return nil
}

func noteEndings(r *Row, ends []ending, heed bool) {
	var sum ending
	for _, e := range ends {
		sum.served, sum.refused, sum.unread, sum.told = sum.served+e.served, sum.refused+e.refused, sum.unread+e.unread, sum.told+e.told
		sum.unready, sum.gone = max(sum.unready, e.unready), max(sum.gone, e.gone)
	}
	r.notef("not ready after %.0f ms, exit 0 after %.1f s at the most; %d requests were served after the signal",
		sum.unready.Seconds()*1000, sum.gone.Seconds(), sum.served)
	if !heed {
		r.notef("when it had stopped to listen: %d found nobody, %d were reset in the kernel's queue, %d streams were told to go on elsewhere",
			sum.refused, sum.unread, sum.told)
	}
}
