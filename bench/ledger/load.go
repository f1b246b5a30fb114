package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Load is what to send.
type Load struct {
	// URL is the server's address.
	URL string `json:"url"`
	// Workers of each kind send one request after the other, at most Rate a second each.
	Workers map[Kind]int `json:"workers"`
	Rate    float64      `json:"rate"`
	// Lines is how many signals a stream has.
	Lines int `json:"lines"`
	// Pad is how many bytes each signal and memory carries besides.
	Pad int `json:"pad"`
	// Name begins every token: two loads on one database have different ones.
	Name string `json:"name"`
	// Heed lets nothing be sent while /readyz is not 200, as balancers do.
	Heed bool `json:"heed"`
	// File is where the ledger is written, a line for each thing of each attempt.
	File string `json:"file"`
}

const (
	// requestTimeout is longer than the server's own.
	requestTimeout = 15 * time.Second
	// again is the pause before a request is repeated.
	again = 200 * time.Millisecond
	// busyPause is that of a request whose key is held by another attempt.
	busyPause = time.Second
	// maxPutAside bounds the requests that wait for their keys: after a crash a key stays
	// locked for a while, and what others send meanwhile is worth seeing.
	maxPutAside = 64
	// within is how long a request is repeated: so long the server takes a signal's id,
	// if its clock agrees, and longer than it holds a key.
	within = 2 * time.Minute
	// DefaultLines is what Load.Lines is if it is not given.
	DefaultLines = 20
	// DefaultName is what Load.Name is if it is not given.
	DefaultName = "ledger"
)

// Run sends until the context ends, and then what is still to be acknowledged.
func (l Load) Run(ctx context.Context) error {
	if l.Lines == 0 {
		l.Lines = DefaultLines
	}
	if l.Name == "" {
		l.Name = DefaultName
	}
	file, err := os.OpenFile(l.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	var mu sync.Mutex
	var failed error
	write := func(entries []Entry) {
		var text []byte
		var err error
		for _, e := range entries {
			line, problem := json.Marshal(e)
			if problem != nil {
				err = problem
			}
			text = append(append(text, line...), '\n')
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			_, err = file.Write(text)
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("write the ledger: %w", err)
		}
	}
	up := &atomic.Bool{}
	up.Store(true)
	if l.Heed {
		up.Store(false)
		looking, stop := context.WithCancel(context.WithoutCancel(ctx))
		looked := make(chan struct{})
		go func() { defer close(looked); l.look(looking, up) }()
		defer func() { stop(); <-looked }()
	}
	var workers sync.WaitGroup
	n := 0
	for kind, count := range l.Workers {
		for range count {
			n++
			w := &worker{load: l, kind: kind, name: l.Name + " " + strconv.Itoa(n), write: write, up: up, client: &http.Client{
				Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1},
			}}
			workers.Go(func() { w.run(ctx) })
		}
	}
	workers.Wait()
	if err := file.Close(); failed == nil && err != nil {
		failed = fmt.Errorf("write the ledger: %w", err)
	}
	return failed
}

// lookInterval is that of a balancer's health check: shorter than half of the server's
// drain delay.
const lookInterval = 200 * time.Millisecond

// look keeps up to date whether the server says that it is ready.
func (l Load) look(ctx context.Context, up *atomic.Bool) {
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		ready := false
		if req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+"/readyz", http.NoBody); err == nil {
			if resp, err := client.Do(req); err == nil {
				_ = resp.Body.Close() // its status is all
				ready = resp.StatusCode == http.StatusOK
			}
		}
		up.Store(ready)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type worker struct {
	load   Load
	kind   Kind
	name   string
	write  func([]Entry)
	client *http.Client
	up     *atomic.Bool
	// aside are requests whose keys are held by earlier attempts, the oldest first.
	aside []*request
}

func (w *worker) run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.load.Rate))
	defer tick.Stop()
	// What has begun is brought to its end.
	last := context.WithoutCancel(ctx)
	if w.kind == State {
		w.makeNeuron(ctx)
	}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			for len(w.aside) > 0 {
				time.Sleep(again)
				w.takeUp(last)
			}
			return
		case <-tick.C:
		}
		if !w.up.Load() {
			continue
		}
		w.takeUp(last)
		if len(w.aside) >= maxPutAside {
			continue
		}
		r, err := w.request(n)
		if err != nil {
			return // there is no randomness to make an id of
		}
		w.settle(last, r)
	}
}

// takeUp repeats the oldest of the requests that were put aside, when it is its time.
func (w *worker) takeUp(ctx context.Context) {
	if len(w.aside) == 0 || time.Since(w.aside[0].tried) < busyPause {
		return
	}
	r := w.aside[0]
	w.aside = w.aside[1:]
	w.settle(ctx, r)
}

// settle makes a request, and repeats it if its kind does.
func (w *worker) settle(ctx context.Context, r *request) {
	for {
		outcomes := w.attempt(ctx, r)
		switch {
		case w.kind == Once, w.kind == Read, w.kind == State, time.Now().After(r.until),
			!slices.ContainsFunc(outcomes, func(o Outcome) bool { return o != OK && o != Wrong }):
			return
		case slices.Contains(outcomes, Busy):
			w.aside = append(w.aside, r)
			return
		}
		time.Sleep(again)
	}
}

// attempt makes a request once and writes down what it says of each thing in it.
func (w *worker) attempt(ctx context.Context, r *request) []Outcome {
	a := w.tell(ctx, w.kind, r)
	outcomes := make([]Outcome, len(r.tokens))
	for i := range r.tokens {
		outcomes[i] = a.outcomeOf(i)
	}
	if w.kind == Own && a.outcome == OK {
		w.readBack(ctx, r.tokens[0], a.header.Get(consistencyHeader)) //nolint:canonicalheader // as the service writes it
	}
	return outcomes
}

// readBack asks for what was acknowledged a moment ago.
func (w *worker) readBack(ctx context.Context, content, token string) {
	w.tell(ctx, ReadOwn, &request{
		method: http.MethodGet, path: "/api/v1/signals?limit=5&neuron=" + w.neuron(), tokens: []string{content}, consistency: token,
	})
}

// tell makes a request and writes down what it says of each thing in it.
func (w *worker) tell(ctx context.Context, kind Kind, r *request) *answer {
	r.tried = time.Now()
	a := w.ask(ctx, r)
	at := time.Now()
	if kind == ReadOwn && a.outcome == OK && !bytes.Contains(a.body, []byte(strconv.Quote(r.tokens[0]))) {
		a.outcome, a.said = Stale, "an own write is missing"
	}
	entries := make([]Entry, len(r.tokens))
	for i, token := range r.tokens {
		entries[i] = Entry{
			Sent: r.tried, At: at, Kind: kind, Token: token, Neuron: r.neuron,
			Outcome: a.outcomeOf(i), Status: a.status, Said: a.said,
		}
	}
	w.write(entries)
	return a
}
