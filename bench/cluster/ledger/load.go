package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Load is what to send.
type Load struct {
	// URL is the server's address.
	URL string
	// Workers of each kind send one request after the other, at most Rate a second each.
	Workers map[Kind]int
	Rate    float64
	// File is where the ledger is written, a line for each attempt.
	File string
}

// requestTimeout is longer than the server's own.
const requestTimeout = 15 * time.Second

// again is the pause before a request is repeated.
const again = 200 * time.Millisecond

// Run sends until the context ends, and then what is still to be acknowledged.
func (l Load) Run(ctx context.Context) error {
	file, err := os.OpenFile(l.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	var mu sync.Mutex
	var failed error
	write := func(e Entry) {
		line, err := json.Marshal(e)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			_, err = file.Write(append(line, '\n'))
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("write the ledger: %w", err)
		}
	}
	var workers sync.WaitGroup
	n := 0
	for kind, count := range l.Workers {
		for range count {
			n++
			w := &worker{load: l, kind: kind, name: "ledger " + strconv.Itoa(n), write: write, client: &http.Client{
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

type worker struct {
	load   Load
	kind   Kind
	name   string
	write  func(Entry)
	client *http.Client
}

func (w *worker) run(ctx context.Context) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.load.Rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.one(context.WithoutCancel(ctx), fmt.Sprintf("%s %d", w.name, n))
	}
}

// one makes one request, and repeats it if its kind does.
func (w *worker) one(ctx context.Context, token string) {
	if w.kind == Read {
		a := w.ask(ctx, http.MethodGet, "/api/v1/neurons/neuron-l4", nil, nil)
		w.note(Read, "", a)
		return
	}
	signal := map[string]string{"content": token, "layer_to": "L3", "from_neuron": "ledger"}
	if w.kind == Own {
		signal["to_neuron"] = strings.ReplaceAll(w.name, " ", "-")
	}
	key := ""
	if w.kind == Key {
		key = uuid.NewString()
	} else {
		id, err := uuid.NewV7()
		if err != nil {
			return
		}
		signal["id"] = id.String()
	}
	body, err := json.Marshal(signal)
	if err != nil {
		return
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	// Within the time for which the server takes an id.
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(again) {
		a := w.ask(ctx, http.MethodPost, "/api/v1/signals", body, header)
		w.note(w.kind, token, a)
		if a.outcome == OK && w.kind == Own {
			w.readBack(ctx, signal["to_neuron"], token, a.header.Get(consistencyHeader))
		}
		if a.outcome == OK || a.outcome == Wrong || w.kind == Once || time.Now().After(deadline) {
			return
		}
	}
}

const consistencyHeader = "HAL9-Consistency-Token"

// readBack asks for what was acknowledged a moment ago.
func (w *worker) readBack(ctx context.Context, neuron, content, token string) {
	header := http.Header{}
	if token != "" {
		header.Set(consistencyHeader, token)
	}
	a := w.ask(ctx, http.MethodGet, "/api/v1/signals?limit=5&neuron="+neuron, nil, header)
	if a.outcome == OK && !bytes.Contains(a.body, []byte(`"`+content+`"`)) {
		a.outcome, a.said = Stale, "an own write is missing"
	}
	w.note(ReadOwn, content, a)
}

func (w *worker) note(kind Kind, token string, a answer) {
	w.write(Entry{At: time.Now(), Kind: kind, Token: token, Outcome: a.outcome, Said: a.said})
}

type answer struct {
	outcome Outcome
	said    string
	header  http.Header
	body    []byte
}

func (w *worker) ask(ctx context.Context, method, path string, body []byte, header http.Header) answer {
	req, err := http.NewRequestWithContext(ctx, method, w.load.URL+path, bytes.NewReader(body))
	if err != nil {
		return answer{outcome: Wrong, said: err.Error()}
	}
	if header != nil {
		req.Header = header.Clone()
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{outcome: Unknown, said: err.Error()}
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // all that was wanted is read
	if resp.StatusCode < 300 && (err == nil || method == http.MethodPost) {
		// The status alone is the acknowledgement.
		return answer{OK, strconv.Itoa(resp.StatusCode), resp.Header, text}
	}
	if err != nil {
		return answer{outcome: Unknown, said: err.Error()}
	}
	outcome, said := judge(resp, text)
	return answer{outcome: outcome, said: said}
}

// judge tells what a failure says: only the service's own answers say that nothing was
// written, and only where they do not say that they cannot know.
func judge(resp *http.Response, text []byte) (Outcome, string) {
	var problem struct {
		Detail  string `json:"detail"`
		Outcome string `json:"outcome"`
	}
	said := strconv.Itoa(resp.StatusCode)
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(text, &problem) != nil {
		return Unknown, said + " of the balancer"
	}
	said += " " + problem.Detail
	switch {
	case resp.StatusCode == http.StatusConflict && resp.Header.Get("Retry-After") != "":
		return Busy, said
	case resp.StatusCode < 500:
		return Wrong, said
	case problem.Outcome == "unknown":
		return Unknown, said
	default:
		return Refused, said
	}
}
