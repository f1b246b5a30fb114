package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/bench/ledger"
)

// straced is what stands before a command whose system calls are to fail or to be counted.
// The tracer is the program's grandchild, so that signals reach the program itself.
func straced(flags ...string) ([]string, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return nil, errors.New("strace is not installed: apt-get install strace")
	}
	return append([]string{path, "-D", "-f", "--seccomp-bpf", "-qq", "-y"}, flags...), nil
}

// serveUnder prepares the database first: what is to fail is the load's.
func (s *site) serveUnder(ctx context.Context, before []string) error {
	s.server, s.before = nil, nil
	if err := s.serve(ctx); err != nil {
		return err
	}
	if err := s.server.Stop(); err != nil {
		return err
	}
	s.server, s.before = nil, before
	return s.serve(ctx)
}

// failure is what strace lets fail: each thread's first call of the given ones and then every
// so many, so that the faults are spread.
type failure struct {
	calls, code  string
	first, every int
	// alone sends one signal after the other and kills the server as soon as one has
	// failed: what was given up must not come back from the log.
	alone bool
}

// try lets calls fail under load, and kills the server meanwhile.
func (f failure) try(ctx context.Context, o options, r *Row) (err error) {
	s, err := open(ctx, o, newLite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	before, err := straced("-A", "-o", s.file("strace"), "-e", "trace="+f.calls,
		"-e", fmt.Sprintf("inject=%s:error=%s:when=%d+%d", f.calls, f.code, f.first, f.every))
	if err != nil {
		return err
	}
	if err := s.serveUnder(ctx, before); err != nil {
		return err
	}
	load := ledger.Load{Workers: everything()}
	if f.alone {
		load = ledger.Load{Workers: map[ledger.Kind]int{ledger.Once: 1}, Rate: 5}
	}
	if err := s.startLoad(ctx, load); err != nil {
		return err
	}
	since := s.begin
	for n := range r.Trials {
		if err := s.awaitFailure(ctx, since, f.alone, r); err != nil {
			return err
		}
		if err := s.killAndLook(ctx, r); err != nil {
			return fmt.Errorf("kill %d: %w", n+1, err)
		}
		// The start is not what is to fail.
		since = time.Now()
		if err := s.serveUnder(ctx, before); err != nil {
			return err
		}
	}
	if err := s.finish(ctx, r); err != nil {
		return err
	}
	text, err := os.ReadFile(s.file("strace"))
	if err != nil {
		return fmt.Errorf("read what strace tells: %w", err)
	}
	r.notef("%d calls failed; the server was killed %d times meanwhile, and the file was whole each time",
		strings.Count(string(text), "(INJECTED)"), r.Trials)
	return nil
}

// awaitFailure returns soon after a write has failed, at once if alone.
func (s *site) awaitFailure(ctx context.Context, since time.Time, alone bool, r *Row) error {
	failed := func(e ledger.Entry) bool { return e.Kind != ledger.Read && e.Status >= 500 }
	e, err := s.await(ctx, since, "a write that fails", failed)
	if err != nil || alone {
		return err
	}
	recovered, err := s.recovery(ctx, e.At)
	if err != nil {
		return err
	}
	r.recovered(recovered)
	return atRandom(ctx, 50*time.Millisecond, 1200*time.Millisecond)
}

// countSyncs holds each acknowledged write against the syncs of the database's files: one
// of them began after the request was sent and ended before its answer came.
func countSyncs(ctx context.Context, o options, r *Row) (err error) {
	s, err := open(ctx, o, newLite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	before, err := straced("-ttt", "-T", "-o", s.file("strace"), "-e", "trace=fsync,fdatasync")
	if err != nil {
		return err
	}
	if err := s.serveUnder(ctx, before); err != nil {
		return err
	}
	if err := s.startLoad(ctx, ledger.Load{Workers: everything()}); err != nil {
		return err
	}
	began, err := s.recovery(ctx, s.begin)
	if err != nil {
		return err
	}
	since := s.begin.Add(began)
	if err := pause(ctx, time.Duration(r.Trials)*time.Second); err != nil {
		return err
	}
	until := time.Now()
	if err := s.finish(ctx, r); err != nil {
		return err
	}
	if err := s.server.Stop(); err != nil {
		return err
	}
	syncs, err := readSyncs(s.file("strace"))
	if err != nil {
		return err
	}
	commits, unsynced, answers := 0, 0, 0
	for _, sync := range syncs {
		if sync.begin.After(since) && sync.end.Before(until) {
			commits++
		}
	}
	for _, e := range s.entries {
		if !acknowledged(e) || e.Sent.Before(since) || e.At.After(until) {
			continue
		}
		answers++
		if !syncedWithin(syncs, e.Sent, e.At) {
			unsynced++
		}
	}
	r.notef("%d syncs for %d things that were acknowledged in %d s; acknowledged without a sync between sending and answer: %d",
		commits, answers, r.Trials, unsynced)
	if unsynced > 0 {
		r.breaksf("%d were acknowledged without a sync", unsynced)
	}
	return nil
}

// syncCall is one sync that succeeded.
type syncCall struct{ begin, end time.Time }

var syncLine = regexp.MustCompile(`^\d+ +(\d+)\.(\d{6}) (?:(?:fsync|fdatasync)\(.*hal9\.db.*\)|<\.\.\. (?:fsync|fdatasync) resumed>\)) += 0 <(\d+\.\d+)>$`)

// readSyncs reads lines such as
//
//	1234 1795720937.339537 fdatasync(3</data/hal9.db-wal>) = 0 <0.000108>
//	1234 1795720937.339537 <... fdatasync resumed>) = 0 <0.000108>
//
// where the time is that of the call's begin in the first form, of its end in the other.
func readSyncs(path string) (syncs []syncCall, err error) {
	file, err := os.Open(path) //nolint:gosec // our own
	if err != nil {
		return nil, fmt.Errorf("read what strace tells: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		m := syncLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		seconds, err1 := strconv.ParseInt(m[1], 10, 64)
		micros, err2 := strconv.ParseInt(m[2], 10, 64)
		took, err3 := time.ParseDuration(m[3] + "s")
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("read what strace tells: %w", err)
		}
		at := time.Unix(seconds, micros*1000)
		if strings.Contains(lines.Text(), "resumed") {
			syncs = append(syncs, syncCall{at.Add(-took), at})
		} else {
			syncs = append(syncs, syncCall{at, at.Add(took)})
		}
	}
	return syncs, nil
}

func syncedWithin(syncs []syncCall, sent, answered time.Time) bool {
	for _, s := range syncs {
		if s.begin.After(sent) && s.end.Before(answered) {
			return true
		}
	}
	return false
}
