package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hal9-ai/hal9/bench/ledger"
)

const (
	// wordy is how many bytes each signal and memory carries, so that a small disk is full
	// within seconds.
	wordy = 4000
	// whileFull is how long the load goes on with no room.
	whileFull = 3 * time.Second
	// ballast is what one trial makes room by, in MiB.
	ballast = 8
	// small is the size of the file system, without the ballast.
	small = 6
)

// diskFull fills a small file system in memory under load, and makes room again; the
// server goes on meanwhile. The file system is mounted where only the server sees it, and
// goes with it.
func diskFull(ctx context.Context, o options, r *Row) (err error) {
	s, err := open(ctx, o, newLite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	dir := s.file("small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	before, why := mounting(ctx, dir, r.Trials)
	if before == nil {
		r.Trials = 0
		r.notef("not tried, as no file system can be mounted here (%s): see the row 'file size limit' instead", why)
		return nil
	}
	db := s.db.(*lite) //nolint:forcetypeassert // it is what newLite makes
	db.path, s.before = filepath.Join(dir, "hal9.db"), before
	db.through = func() string { return fmt.Sprintf("/proc/%d/root%s", s.server.PID(), db.path) }
	n := 0
	return s.fillUp(ctx, r, func() error {
		n++
		return os.Remove(fmt.Sprintf("/proc/%d/root%s/ballast%d", s.server.PID(), dir, n))
	})
}

// mounting is what stands before a command that shall have a small file system at dir: as
// root, or as root of a namespace of its own.
func mounting(ctx context.Context, dir string, trials int) (before []string, why string) {
	script := fmt.Sprintf(`mount -t tmpfs -o size=%dm,mode=700 hal9-faults "$0" || exit
for n in $(seq %d); do head -c %dm /dev/zero >"$0/ballast$n" || exit; done
exec "$@"`, small+ballast*trials, trials, ballast)
	for _, flags := range [][]string{{"--mount"}, {"--mount", "--user", "--map-root-user"}} {
		command := append(append([]string{"unshare"}, flags...), "/bin/sh", "-c", script, dir)
		said, err := exec.CommandContext(ctx, command[0], append(command[1:], "true")...).CombinedOutput() //nolint:gosec // our own words
		if err == nil {
			return command, ""
		}
		why = strings.TrimSpace(string(said))
		if why == "" {
			why = err.Error()
		}
	}
	return nil, why
}

// fileLimit lets the server's files grow no further, which anybody may ask for.
func fileLimit(ctx context.Context, o options, r *Row) (err error) {
	s, err := open(ctx, o, newLite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	limit := uint64(small << 20)
	set := func() error {
		var old unix.Rlimit
		if err := unix.Prlimit(s.server.PID(), unix.RLIMIT_FSIZE, nil, &old); err != nil {
			return fmt.Errorf("ask for the limit: %w", err)
		}
		if err := unix.Prlimit(s.server.PID(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: old.Max}, nil); err != nil {
			return fmt.Errorf("limit the size of files: %w", err)
		}
		return nil
	}
	s.served = set
	return s.fillUp(ctx, r, func() error {
		limit += ballast << 20
		return set()
	})
}

// fillUp writes until there is no room, goes on for a while, and has room made, as often as
// there are trials; at last once more, to see that all goes well.
func (s *site) fillUp(ctx context.Context, r *Row, makeRoom func() error) error {
	if err := s.serve(ctx); err != nil {
		return err
	}
	pid := s.server.PID()
	if s.served != nil {
		if err := s.served(); err != nil {
			return err
		}
	}
	if err := s.startLoad(ctx, ledger.Load{Workers: everything(), Pad: wordy}); err != nil {
		return err
	}
	roomSince := s.begin
	for n := range r.Trials {
		full := func(e ledger.Entry) bool { return e.Kind != ledger.Read && e.Status >= 500 }
		if _, err := s.await(ctx, roomSince, "a full disk", full); err != nil {
			return err
		}
		if err := pause(ctx, whileFull); err != nil {
			return err
		}
		if err := s.frozen(func() error { return s.look(ctx, r, n) }); err != nil {
			return err
		}
		roomSince = time.Now()
		if err := makeRoom(); err != nil {
			return fmt.Errorf("make room: %w", err)
		}
		recovered, err := s.recovery(ctx, roomSince)
		if err != nil {
			return fmt.Errorf("after room was made: %w", err)
		}
		r.recovered(recovered)
	}
	// At once, so that what waits for its turn still fits.
	if err := s.stopLoad(); err != nil {
		return err
	}
	if err := s.frozen(func() error { return s.conclude(ctx, r) }); err != nil {
		return err
	}
	if s.server.PID() != pid {
		return errors.New("the server was replaced")
	}
	reads := 0
	for _, e := range s.entries {
		if e.Kind == ledger.Read && e.Outcome != ledger.OK {
			reads++
		}
	}
	if reads > 0 {
		r.breaksf("%d reads failed", reads)
	}
	r.notef("the same process all along; no read failed; the file was whole each time it was full")
	return nil
}

// look checks the file and the ledger while the disk is full.
func (s *site) look(ctx context.Context, r *Row, n int) error {
	if err := s.db.check(ctx); err != nil {
		return err
	}
	a, err := s.account(ctx)
	if err != nil {
		return err
	}
	if a.Lost > 0 || a.Untrue > 0 {
		r.breaksf("full for the %d. time: %d lost, %d untrue", n+1, a.Lost, a.Untrue)
	}
	return nil
}

// frozen looks at files that the server would write to.
func (s *site) frozen(look func() error) error {
	if err := s.server.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := look()
	return errors.Join(err, s.server.Signal(syscall.SIGCONT))
}

// conclude takes the account of all into the row.
func (s *site) conclude(ctx context.Context, r *Row) error {
	if err := s.db.check(ctx); err != nil {
		return err
	}
	a, err := s.account(ctx)
	if err != nil {
		return err
	}
	r.take(a)
	return nil
}
