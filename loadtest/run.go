package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what Run needs besides the scenario.
type Options struct {
	// Target is the server, as in http://127.0.0.1:8080.
	Target string
	// AllowRemote lets the server be on another machine.
	AllowRemote bool
	// Accounts are used in place of registering any.
	Accounts []Account
	// AdminKey makes the accounts to register as an admin, for servers where strangers
	// may not.
	AdminKey string
	// MeasureHashes is how long to measure how many passwords the server can hash;
	// 0 does not. Scenarios with a HashShare always do.
	MeasureHashes time.Duration
	// Progress is called about five times a second, from one goroutine. May be nil.
	Progress func(Progress)
	// Machine is what the report says of the machine and what else ran on it.
	Machine string
}

// Progress is how far a run is.
type Progress struct {
	// Phase is "preparing" or "running".
	Phase          string
	Elapsed, Total time.Duration
	Users          int
	// Of the last second; requests that failed are not among them:
	RequestsPerSecond float64
	P50, P99          time.Duration
	// Failed counts the requests since the start, warm-up included.
	Requests, Failed int64
}

// running is a run under way.
type running struct {
	plan        *plan
	target      *target
	recorder    *recorder
	accounts    []*account
	neuronNames []string
	id          string
	seed        uint64

	begin     time.Time
	warmUntil time.Time
	// over is when the run ended, in nanoseconds since it began; 0 while it goes on. Users
	// finish their journeys after it, which counts no more.
	over atomic.Int64

	requests   atomic.Int64
	full       atomic.Bool
	fullOnce   sync.Once
	fullSignal chan struct{}

	users atomic.Int64
	// userTime is the time that users spent in the run after the warm-up, in nanoseconds.
	userTime atomic.Int64

	mu          sync.Mutex
	renewErrors map[string]int
}

// spent takes down how long a user was there.
func (r *running) spent(from time.Time) {
	if from.Before(r.warmUntil) {
		from = r.warmUntil
	}
	until := time.Now()
	if over := r.over.Load(); over > 0 {
		until = r.begin.Add(time.Duration(over))
	}
	if d := until.Sub(from); d > 0 {
		r.userTime.Add(int64(d))
	}
}

// count counts a request, and ends the run at the most.
func (r *running) count() {
	if r.requests.Add(1) >= r.plan.scenario.MaxRequests {
		r.full.Store(true)
		r.fullOnce.Do(func() { close(r.fullSignal) })
	}
}

// counts tells whether a request that began then is one of those that the report is of.
func (r *running) counts(begin time.Time) bool {
	over := r.over.Load()
	return !begin.Before(r.warmUntil) && (over == 0 || begin.Sub(r.begin) < time.Duration(over))
}

func (r *running) renewFailed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.renewErrors) < maxErrors {
		r.renewErrors[err.Error()]++
	}
}

// ErrTooManyUsers says that the process may not open a connection for each user.
var ErrTooManyUsers = errors.New("too many users for the limit on open files")

// Run plays a scenario and reports. A report comes also with an error that ended the
// run early, where anything was measured. The scenario's thresholds are judged in the
// report; not to keep them is no error.
func Run(ctx context.Context, s *Scenario, opts Options) (*Report, error) {
	scenario := s.WithDefaults()
	if err := scenario.Validate(); err != nil {
		return nil, err
	}
	t, err := newTarget(opts.Target, opts.AllowRemote, time.Duration(scenario.Timeout))
	if err != nil {
		return nil, err
	}
	r := &running{
		plan: newPlan(&scenario), target: t, id: fmt.Sprintf("%08x", rand.Uint32()), seed: rand.Uint64(), //nolint:gosec // names, no secrets
		fullSignal: make(chan struct{}), renewErrors: map[string]int{},
	}
	prep, err := r.prepare(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := checkFiles(scenario.MaxUsers()); err != nil {
		return nil, err
	}
	for n := range scenario.Neurons.Count {
		r.neuronNames = append(r.neuronNames, neuronName(scenario.Neurons.Prefix, n))
	}
	return r.play(ctx, prep, opts)
}

// prepare comes by accounts, and bounds the users by what they cost.
func (r *running) prepare(ctx context.Context, opts Options) (*preparation, error) {
	if opts.Progress != nil {
		opts.Progress(Progress{Phase: "preparing"})
	}
	scenario := r.plan.scenario
	var prep preparation
	var err error
	if prep.required, err = askMode(ctx, r.target); err != nil {
		return nil, err
	}
	r.plan.bearer = prep.required
	accounts := opts.Accounts
	needs := r.plan.needsAccounts()
	if n := scenario.Accounts.Count; n > 0 && len(accounts) > n {
		accounts = accounts[:n]
	}
	measure := opts.MeasureHashes
	if scenario.HashShare > 0 && measure == 0 {
		measure = 3 * time.Second
	}
	switch {
	case len(accounts) > 0:
		prep.story = fmt.Sprintf("%d accounts with tokens were given", len(accounts))
	case needs || measure > 0:
		n := scenario.Accounts.Register
		if n == 0 {
			if needs && !prep.required {
				return nil, fmt.Errorf("%w: set accounts.register in the scenario, or give accounts by --accounts", ErrNoAccounts)
			}
			n = runtime.NumCPU()
		}
		begin := time.Now()
		if accounts, err = register(ctx, r.target, n, r.id, opts.AdminKey); err != nil {
			return nil, err
		}
		// One for the registration, one for the login; a measurement below tells more.
		prep.hashesPerSecond = float64(2*n) / time.Since(begin).Seconds()
		how := "registered"
		if opts.AdminKey != "" {
			how = "made by an admin's key"
		}
		prep.story = fmt.Sprintf("%d accounts were %s and logged in before the run", n, how)
	}
	renews := &renewer{lead: time.Minute, renew: func(a *Account) error {
		c := &client{target: r.target}
		defer c.drop()
		return refresh(ctx, c, a)
	}}
	for i := range accounts {
		r.accounts = append(r.accounts, newAccount(&accounts[i], renews, time.Now()))
	}
	if scenario.Accounts.Zipf > 0 && len(accounts) > 1 {
		r.plan.accounts = newZipf(len(accounts), scenario.Accounts.Zipf)
		prep.story += fmt.Sprintf("; each journey draws one by Zipf's law, exponent %g", scenario.Accounts.Zipf)
	} else if most := scenario.MaxUsers(); needs && len(accounts) > 0 && len(accounts) < most {
		prep.story += fmt.Sprintf("; %d users share them", most)
	}
	if measure > 0 {
		with := accounts[:min(len(accounts), 2*runtime.NumCPU())]
		if with[0].Password == "" {
			return nil, fmt.Errorf("%w with passwords to measure how many the server can hash, and those given have none", ErrNoAccounts)
		}
		if prep.hashesPerSecond, err = measureHashes(ctx, r.target, with, measure); err != nil {
			return nil, err
		}
	}
	return &prep, nil
}

func (r *running) play(ctx context.Context, prep *preparation, opts Options) (*Report, error) {
	scenario := r.plan.scenario
	limit := r.limitUsers(prep)
	r.recorder = newRecorder(r.plan.calls)
	watch := newWatch(r, scenario.Duration(), opts.Progress)

	// Users who are in the middle of a journey at the end may finish it.
	hard, cancel := context.WithCancel(ctx)
	defer cancel()
	watch.begin(hard)
	cpu := processCPU()
	r.begin = time.Now()
	r.warmUntil = r.begin.Add(time.Duration(scenario.WarmUp))
	watch.start(hard)
	crowd := &crowd{run: r, ctx: hard}
	cause := crowd.conduct(ctx)
	ended := time.Now()
	r.over.Store(int64(ended.Sub(r.begin)))
	crowd.dismiss(0)
	if !crowd.leave(longestRequest(time.Duration(scenario.Timeout))) {
		cancel() // whoever is left
		crowd.members.Wait()
	}
	cancel()
	watch.wait()

	report := r.report(prep, watch, opts, ended.Sub(r.begin))
	report.Limit = limit
	report.Generator = r.generator(processCPU()-cpu, ended)
	if cause != nil && !errors.Is(cause, errFull) {
		return report, fmt.Errorf("the run was ended early: %w", cause)
	}
	report.judge(scenario)
	return report, nil
}

// longestRequest is how long a request can last: until a connection is given up, and then
// until an answer is, with what conn.extend lets it live too long. Whoever waits less at the
// end of a run would leave out the requests that a server which hangs has not answered.
func longestRequest(timeout time.Duration) time.Duration { return 2*timeout + timeout/5 }

var errFull = errors.New("the most requests were sent")
