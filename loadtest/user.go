package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/tidwall/gjson"
)

// user is one virtual user: a connection, a deck of journeys, and the values that the
// placeholders have for it.
type user struct {
	run     *running
	number  int
	client  client
	account *account
	shard   *shard
	rng     *rand.Rand
	values  []string
	deck    []int
	next    int
	made    int // journeys
	seen    int // large answers
	path    []byte
	body    []byte
	bearer  []byte
	stopped <-chan struct{}
	timer   *time.Timer
}

// pauseAfterFailure keeps users from asking a dead server as fast as they can.
const pauseAfterFailure = 100 * time.Millisecond

func newUser(r *running, number int, stopped <-chan struct{}) *user {
	u := &user{
		run: r, number: number, client: client{target: r.target}, shard: r.recorder.shard(number), stopped: stopped,
		rng:    rand.New(rand.NewPCG(r.seed, uint64(number))), //nolint:gosec // load, no secrets
		values: make([]string, len(r.plan.slots)), deck: append([]int(nil), r.plan.deck...),
	}
	if n := len(r.accounts); n > 0 {
		u.account = r.accounts[(number-1)%n]
	}
	u.set(varUser, strconv.Itoa(number))
	u.set(varRun, r.id)
	return u
}

func (u *user) set(name, value string) { u.values[u.run.plan.slots[name]] = value }

// put is set by the slot, -1 for none.
func (u *user) put(slot int, value string) {
	if slot >= 0 {
		u.values[slot] = value
	}
}

// play makes journeys until the user is told to stop or the run ends. The journey under
// way is finished.
func (u *user) play(ctx context.Context) {
	defer u.client.drop()
	u.timer = time.NewTimer(0)
	defer u.timer.Stop()
	<-u.timer.C
	// Users who all begin at once think for different times before they do.
	think := u.run.plan.scenario.ThinkTime
	if think.Max > 0 && !u.wait(ctx, time.Duration(u.rng.Int64N(int64(think.Max)))) {
		return
	}
	for u.goesOn(ctx) {
		answered := u.journey(ctx, &u.run.plan.journeys[u.pick()])
		u.made++
		pause := u.think()
		if !answered {
			pause = max(pause, pauseAfterFailure)
		}
		if pause > 0 && !u.wait(ctx, pause) {
			return
		}
	}
}

func (u *user) goesOn(ctx context.Context) bool {
	select {
	case <-u.stopped:
		return false
	default:
		return ctx.Err() == nil && !u.run.full.Load()
	}
}

// wait returns false when the user is to stop.
func (u *user) wait(ctx context.Context, d time.Duration) bool {
	u.timer.Reset(d)
	select {
	case <-u.timer.C:
		return true
	case <-u.stopped:
	case <-u.run.fullSignal:
	case <-ctx.Done():
	}
	return false
}

func (u *user) think() time.Duration {
	t := u.run.plan.scenario.ThinkTime
	if t.Max == t.Min {
		return t.Min
	}
	return t.Min + time.Duration(u.rng.Int64N(int64(t.Max-t.Min)))
}

// pick returns the next journey.
func (u *user) pick() int {
	if u.deck == nil {
		weights := u.run.plan.weights
		drawn := u.rng.IntN(weights[len(weights)-1])
		for i, sum := range weights {
			if drawn < sum {
				return i
			}
		}
	}
	if u.next == 0 {
		u.rng.Shuffle(len(u.deck), func(i, j int) { u.deck[i], u.deck[j] = u.deck[j], u.deck[i] })
	}
	card := u.deck[u.next]
	u.next = (u.next + 1) % len(u.deck)
	return card
}

// journey returns false when a call got no answer.
func (u *user) journey(ctx context.Context, j *journeyPlan) bool {
	plan := u.run.plan
	u.draw()
	if plan.accounts != nil {
		u.account = u.run.accounts[plan.accounts.draw(u.rng)]
	}
	if u.account != nil && (j.usesAccount || plan.bearer) {
		if err := u.account.begin(time.Now()); err != nil {
			u.run.renewFailed(err)
			return false
		}
		defer u.account.end()
		u.put(plan.builtin.username, u.account.Username)
		u.put(plan.builtin.password, u.account.Password)
		u.put(plan.builtin.token, u.account.AccessToken)
	}
	for i := range j.steps {
		step := &j.steps[i]
		if step.share < 1 && u.rng.Float64() >= step.share || step.limit != nil && !step.limit.take(time.Now()) {
			continue
		}
		o, usable := u.call(ctx, step)
		if ctx.Err() != nil && o.err != nil {
			return false // the run broke it off
		}
		u.shard.record(&o)
		u.run.count()
		if !usable {
			return o.err == nil
		}
	}
	return true
}

// draw gives the placeholders that change from journey to journey their values.
func (u *user) draw() {
	plan := u.run.plan
	if n := plan.builtin.iteration; n >= 0 {
		u.values[n] = strconv.Itoa(u.made)
	}
	if n := plan.builtin.random; n >= 0 {
		u.values[n] = strconv.FormatUint(u.rng.Uint64()|1<<63, 16)
	}
	if n := plan.builtin.time; n >= 0 {
		u.values[n] = strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	for _, c := range plan.choices {
		u.values[c.slot] = c.words[u.rng.IntN(len(c.words))]
	}
	if n := plan.builtin.neuron; n >= 0 && plan.neurons != nil {
		u.values[n] = u.run.neuronNames[plan.neurons.draw(u.rng)]
	}
}

// call makes one call and its checks. usable says that the next steps have what they
// need.
func (u *user) call(ctx context.Context, s *stepPlan) (o outcome, usable bool) {
	u.path = s.path.write(u.path[:0], u.values, inPath)
	u.body = s.body.write(u.body[:0], u.values, inJSON)
	u.bearer = s.bearer.write(u.bearer[:0], u.values, inHeader)
	if len(u.bearer) == 0 && u.run.plan.bearer {
		u.bearer = inHeader(u.bearer, u.values[u.run.plan.builtin.token])
	}
	u.client.out = u.client.target.appendRequest(u.client.out[:0], s.method, u.path, u.bearer, u.body)

	begin := time.Now()
	a, err := u.client.send(ctx, u.client.out, s.method == "GET", begin)
	o = outcome{call: s.call, took: time.Since(begin), counts: u.run.counts(begin)}
	if err != nil {
		o.err, o.waited = describe(err, u.client.target.dialer.timeout), isTimeout(err)
	} else {
		o.status, o.bytes = a.status, len(a.body)
	}
	valid := err == nil && (!s.wantsJSON() || u.valid(a.body))
	for i := range s.checks {
		bit := uint64(1) << s.checks[i].index
		o.made |= bit
		if err == nil && s.checks[i].holds(&a, o.took, valid) {
			o.passed |= bit
		}
	}
	if o.failed() || !valid {
		return o, false
	}
	for _, k := range s.keep {
		v := gjson.GetBytes(a.body, k.path)
		if !v.Exists() {
			return o, false
		}
		u.values[k.slot] = v.String()
	}
	return o, true
}

func (u *user) valid(body []byte) bool {
	if len(body) > alwaysValidate {
		u.seen++
		if u.seen%validateEvery != 1 {
			return true
		}
	}
	return gjson.ValidBytes(body)
}

// describe tells why there was no answer, without what differs from request to request.
func describe(err error, timeout time.Duration) error {
	var errno syscall.Errno
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no answer within %v", Duration(timeout))
	case errors.As(err, &errno):
		return errors.New(errno.Error())
	case errors.As(err, &op):
		return op.Err
	default:
		return err
	}
}
