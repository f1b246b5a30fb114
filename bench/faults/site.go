package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hal9-ai/hal9/bench/ledger"
	"github.com/hal9-ai/hal9/bench/loopback"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

const (
	// patience bounds each wait for something to happen.
	patience = 60 * time.Second
	poll     = 10 * time.Millisecond
	// rate of each worker: enough that something is always under way, few enough for
	// two cores.
	rate = 40
)

// site is a server on a database, with a load and its ledger.
type site struct {
	o       options
	home    *servers.Home
	db      database
	address string
	// before stands before the server's command, as `strace …` does.
	before []string
	server *servers.Process
	// served is called when the server has started for the first time; nil: nothing.
	served func() error

	ledger   *ledger.Reader
	entries  []ledger.Entry
	begin    time.Time
	stopLoad func() error
}

// open makes a directory and a database there; nothing is served yet. close ends it.
func open(ctx context.Context, o options, newDatabase func(context.Context, string) (database, error)) (_ *site, err error) {
	s := &site{o: o, begin: time.Now()}
	if s.home, err = servers.NewHome(ctx); err != nil {
		return nil, withMend(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.db, err = newDatabase(ctx, s.home.Dir()); err != nil {
		return nil, withMend(err)
	}
	if s.address, err = loopback.FreeAddress(ctx); err != nil {
		return nil, err
	}
	s.ledger, err = ledger.Open(s.file("ledger"))
	return s, err
}

// withMend tells what to do about a program that is missing.
func withMend(err error) error {
	if missing, ok := errors.AsType[*servers.MissingError](err); ok {
		return fmt.Errorf("%w: apt-get install %s", err, missing.Packages[0])
	}
	return err
}

func (s *site) close() error {
	var errs []error
	if s.stopLoad != nil {
		errs = append(errs, s.stopLoad())
	}
	if s.server != nil {
		errs = append(errs, s.server.Stop())
	}
	if s.db != nil {
		errs = append(errs, s.db.close())
	}
	if s.ledger != nil {
		errs = append(errs, s.ledger.Close())
	}
	return errors.Join(append(errs, s.home.Close())...)
}

func (s *site) file(name string) string { return filepath.Join(s.home.Dir(), name) }

func (s *site) url() string { return "http://" + s.address }

// serve starts the server, for the first time or again, and returns when it is ready.
func (s *site) serve(ctx context.Context) error {
	if s.server != nil {
		return s.server.Start(ctx)
	}
	command := slices.Concat([]string{
		"/usr/bin/env", "-C", s.home.Dir(), "HAL9_DATABASE_URL=" + s.db.url(), "HAL9_LOG_ACCESS_SAMPLE=0", "HAL9_LOG_LEVEL=warn",
	}, s.o.environment, s.before)
	var err error
	s.server, err = servers.StartProgram(ctx, servers.Program{
		Name: "hal9", Log: s.file("log"), AsCaller: true,
		Command: append(command, s.o.hal9, "serve", "--migrate", "--server-listen", s.address),
		Ready:   func(ctx context.Context) error { return s.ready(ctx) },
	})
	return err
}

// ready fails unless the server says that it is ready; it asks on a connection of its own.
func (s *site) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask /readyz: %w", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask /readyz: %w", err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("ask /readyz: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", resp.Status)
	}
	return nil
}

// everything is a load of all that may be written.
func everything() map[ledger.Kind]int {
	return map[ledger.Kind]int{
		ledger.Once: 2, ledger.Again: 2, ledger.Key: 2, ledger.Bulk: 1, ledger.Memory: 2, ledger.State: 2, ledger.Read: 1,
	}
}

// startLoad runs this program again as the one who sends and writes down.
func (s *site) startLoad(ctx context.Context, l ledger.Load) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	l.URL, l.File = s.url(), s.file("ledger")
	if l.Rate == 0 {
		l.Rate = rate
	}
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("describe the load: %w", err)
	}
	var said strings.Builder
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, "load", "--load", string(text)) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = &said
	// It must not outlive us, and not hear the terminal's Ctrl+C before we do.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the load: %w", err)
	}
	s.stopLoad = func() error {
		s.stopLoad = nil
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("end the load: %w", err)
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("the load: %w: %s", err, said.String())
		}
		return nil
	}
	return nil
}

// asProgram in the environment makes a test binary the program itself.
const asProgram = "HAL9_FAULTS_AS_PROGRAM"

// pull reads what the ledger has got since.
func (s *site) pull() error {
	entries, err := s.ledger.Next()
	s.entries = append(s.entries, entries...)
	return err
}

// await returns when the ledger has an entry as wanted that was sent after a moment.
func (s *site) await(ctx context.Context, after time.Time, what string, wanted func(ledger.Entry) bool) (ledger.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	seen := len(s.entries)
	for {
		if err := s.pull(); err != nil {
			return ledger.Entry{}, err
		}
		for ; seen < len(s.entries); seen++ {
			if e := s.entries[seen]; e.Sent.After(after) && wanted(e) {
				return e, nil
			}
		}
		if err := pause(ctx, poll); err != nil {
			return ledger.Entry{}, fmt.Errorf("%s did not come within %s: %w", what, patience, err)
		}
	}
}

func acknowledged(e ledger.Entry) bool { return e.Kind != ledger.Read && e.Outcome == ledger.OK }

// recovery is the time from a moment to the first acknowledgement of what was sent after it.
func (s *site) recovery(ctx context.Context, since time.Time) (time.Duration, error) {
	e, err := s.await(ctx, since, "an acknowledgement", acknowledged)
	return e.At.Sub(since), err
}

// account holds the whole ledger against the database.
func (s *site) account(ctx context.Context) (ledger.Account, error) {
	// The ledger first: what is acknowledged after it was read is in the database anyway.
	if err := s.pull(); err != nil {
		return ledger.Account{}, err
	}
	stored, err := s.db.look(ctx)
	if err != nil {
		return ledger.Account{}, err
	}
	return ledger.Of(s.entries, stored, s.begin, time.Now()), nil
}

// finish ends the load, which settles what is under way, and takes the account into the row.
func (s *site) finish(ctx context.Context, r *Row) error {
	if err := s.stopLoad(); err != nil {
		return err
	}
	a, err := s.account(ctx)
	if err != nil {
		return err
	}
	r.take(a)
	return nil
}

// atRandom waits for a moment between the two durations.
func atRandom(ctx context.Context, least, most time.Duration) error {
	return pause(ctx, least+rand.N(most-least)) //nolint:gosec // no secret
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
