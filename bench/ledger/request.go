package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// request is one request, with all that its repetitions need.
type request struct {
	method, path, contentType string
	body                      []byte
	key                       string
	// tokens are what it writes, in the order of its lines; a read has one without a name.
	tokens []string
	neuron string
	// consistency is the token of an earlier answer that this one is to know of.
	consistency string
	tried       time.Time
	until       time.Time
}

// Sender is the from_neuron of the load's signals and the neuron_id of its memories.
const Sender = "ledger"

// consistencyHeader lets a read know of a write: docs/operations/replicas.md.
const consistencyHeader = "HAL9-Consistency-Token"

// request makes the worker's n-th request.
func (w *worker) request(n int) (*request, error) {
	token := fmt.Sprintf("%s %d", w.name, n)
	r := &request{method: http.MethodPost, path: "/api/v1/signals", contentType: "application/json", tokens: []string{token}, until: time.Now().Add(within)}
	var body any
	switch w.kind {
	case Read:
		r.method, r.path, r.tokens = http.MethodGet, "/api/v1/neurons/neuron-l4", []string{""}
		return r, nil
	case State:
		r.method, r.path, r.neuron = http.MethodPut, "/api/v1/neurons/"+w.neuron()+"/state", w.neuron()
		body = map[string]string{"state": token}
	case Memory:
		r.path, r.key = "/api/v1/memories", uuid.NewString()
		body = map[string]any{"neuron_id": Sender, "content": token, "metadata": w.padding()}
	case Key:
		r.key = uuid.NewString()
		body = w.signal(token)
	case Bulk:
		return w.bulk(r, token)
	default:
		signal, err := w.identified(token)
		if err != nil {
			return nil, err
		}
		if w.kind == Own {
			signal["to_neuron"] = w.neuron()
		}
		body = signal
	}
	var err error
	r.body, err = json.Marshal(body)
	return r, err //nolint:wrapcheck // maps of texts
}

func (w *worker) bulk(r *request, token string) (*request, error) {
	r.path, r.contentType, r.tokens = "/api/v1/signals/bulk", "application/x-ndjson", nil
	for i := range w.load.Lines {
		line := token + "." + strconv.Itoa(i)
		signal, err := w.identified(line)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(signal)
		if err != nil {
			return nil, fmt.Errorf("write a line: %w", err)
		}
		r.body = append(append(r.body, text...), '\n')
		r.tokens = append(r.tokens, line)
	}
	return r, nil
}

func (w *worker) signal(token string) map[string]any {
	return map[string]any{"content": token, "layer_to": "L3", "from_neuron": Sender, "metadata": w.padding()}
}

func (w *worker) identified(token string) (map[string]any, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	signal := w.signal(token)
	signal["id"] = id.String()
	return signal, nil
}

func (w *worker) padding() map[string]string {
	if w.load.Pad == 0 {
		return map[string]string{}
	}
	return map[string]string{"padding": strings.Repeat("x", w.load.Pad)}
}

func (w *worker) neuron() string { return strings.ReplaceAll(w.name, " ", "-") }

// makeNeuron makes the neuron whose state the worker sets.
func (w *worker) makeNeuron(ctx context.Context) {
	body, err := json.Marshal(map[string]string{"id": w.neuron(), "layer": "L3"})
	if err != nil {
		return
	}
	r := &request{method: http.MethodPost, path: "/api/v1/neurons", contentType: "application/json", body: body}
	for ctx.Err() == nil {
		if a := w.ask(ctx, r); a.outcome == OK || a.status == http.StatusConflict {
			return
		}
		time.Sleep(again)
	}
}

// answer is what became of an attempt.
type answer struct {
	outcome Outcome
	status  int
	said    string
	// decided is how many lines of a stream were stored although the rest was not.
	decided int
	// wrong are lines that were refused.
	wrong  map[int]bool
	header http.Header
	body   []byte
}

func (a *answer) outcomeOf(line int) Outcome {
	switch {
	case a.wrong[line]:
		return Wrong
	case line < a.decided:
		return OK
	default:
		return a.outcome
	}
}

func (w *worker) ask(ctx context.Context, r *request) *answer {
	req, err := http.NewRequestWithContext(ctx, r.method, w.load.URL+r.path, bytes.NewReader(r.body))
	if err != nil {
		return &answer{outcome: Wrong, said: err.Error()}
	}
	req.Header.Set("Content-Type", r.contentType)
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.consistency != "" {
		req.Header.Set(consistencyHeader, r.consistency) //nolint:canonicalheader // as the service writes it
	}
	resp, err := w.client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &answer{outcome: Away, said: "nobody listens"}
	case err != nil:
		return &answer{outcome: Unknown, said: withoutPorts(err)}
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // all that was wanted is read
	a := judge(resp, text, err)
	if r.method == http.MethodGet && err != nil {
		a = &answer{outcome: Unknown, said: withoutPorts(err)} // nothing of it is of use
	}
	a.status, a.header, a.body = resp.StatusCode, resp.Header, text
	if r.contentType == "application/x-ndjson" {
		a.readStream(text)
	}
	return a
}

// withoutPorts tells an error without the ports of one connection, so that equal ones
// look equal.
func withoutPorts(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// judge tells what an answer says: a 2xx that it is stored, by the status alone. Of
// failures only the service's own answers say that nothing was written, and only where
// they do not say that they cannot know.
func judge(resp *http.Response, text []byte, cut error) *answer {
	said := strconv.Itoa(resp.StatusCode)
	if resp.StatusCode < 300 {
		return &answer{outcome: OK, said: said}
	}
	if cut != nil {
		return &answer{outcome: Unknown, said: withoutPorts(cut)}
	}
	var problem struct {
		Detail  string `json:"detail"`
		Outcome string `json:"outcome"`
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(text, &problem) != nil {
		return &answer{outcome: Unknown, said: said + " of the balancer"}
	}
	said += " " + problem.Detail
	switch {
	case resp.StatusCode == http.StatusConflict && resp.Header.Get("Retry-After") != "":
		return &answer{outcome: Busy, said: said}
	case resp.StatusCode < 500:
		return &answer{outcome: Wrong, said: said}
	case problem.Outcome == "unknown":
		return &answer{outcome: Unknown, said: said}
	default:
		return &answer{outcome: Refused, said: said}
	}
}

// readStream reads what an answer to a stream says of its lines.
func (a *answer) readStream(text []byte) {
	var told struct {
		Data struct {
			Errors []struct {
				Line int `json:"line"`
			} `json:"errors"`
			Resume struct {
				Line int `json:"line"`
			} `json:"resume"`
		} `json:"data"`
	}
	if json.Unmarshal(text, &told) != nil {
		return
	}
	a.wrong = map[int]bool{}
	for _, e := range told.Data.Errors {
		a.wrong[e.Line-1] = true
	}
	if a.outcome != OK {
		a.decided = told.Data.Resume.Line - 1
	}
}
