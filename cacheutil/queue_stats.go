package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"
)

// refusal is why Submit did not queue a value.
type refusal int

const (
	refusalAway refusal = iota
	refusalTimeout
	refusalFull
	refusalReadOnly
	refusalMemory
	refusalOther
	refusalCount
)

var refusalNames = [refusalCount]string{"away", "timeout", "full", "read_only", "out_of_memory", "other"} //nolint:gochecknoglobals // a table

func refusalOf(err error) refusal {
	fault, ok := valkey.IsValkeyErr(err)
	switch {
	case !ok && errors.Is(err, context.DeadlineExceeded):
		return refusalTimeout
	case !ok:
		return refusalAway
	case strings.HasPrefix(fault.Error(), "READONLY"):
		return refusalReadOnly
	case strings.HasPrefix(fault.Error(), "OOM"):
		return refusalMemory
	default:
		return refusalOther
	}
}

// queueCounts is what one Queue did since the start of the process.
type queueCounts struct {
	submitted, batches, applied, coalesced, buried, failures atomic.Int64

	refusals [refusalCount]atomic.Int64
}

// QueueStats is the state of a queue and what this process did with it.
type QueueStats struct {
	Name string

	// Known tells whether Valkey answered; if not, the fields up to DeadLetters
	// are 0 because nobody knows them.
	Known bool
	// Depth is the number of entries that are not applied yet, by any process,
	// Bytes their keys and encoded values. OldestAge is how long the oldest one
	// has been waiting, by Valkey's clock. DeadLetters are those that are kept.
	Depth, Bytes, DeadLetters int64
	OldestAge                 time.Duration

	// Submitted counts values that Submit queued, Refused those that it did not,
	// by reason: away, timeout, full, read_only, out_of_memory, other.
	Submitted int64
	Refused   map[string]int64
	// Batches counts calls of Apply and Failures those that failed. Applied counts
	// entries that left the queue because they, or a newer value of their key
	// (Coalesced), were committed. Buried counts values moved to the dead letters.
	Batches, Failures, Applied, Coalesced, Buried int64
}

// Stats asks Valkey for the queue's state, within the call budget, and adds the
// counts of this process.
func (q *Queue[T]) Stats(ctx context.Context) QueueStats {
	s := QueueStats{
		Name:      q.options.Name,
		Submitted: q.counts.submitted.Load(),
		Refused:   make(map[string]int64, refusalCount),
		Batches:   q.counts.batches.Load(),
		Failures:  q.counts.failures.Load(),
		Applied:   q.counts.applied.Load(),
		Coalesced: q.counts.coalesced.Load(),
		Buried:    q.counts.buried.Load(),
	}
	for i, name := range refusalNames {
		s.Refused[name] = q.counts.refusals[i].Load()
	}
	client := q.link.client()
	if client == nil {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, q.link.budget)
	defer cancel()
	answer, err := q.scripts.state.Exec(ctx, client, []string{q.keys.stream, q.keys.bytes, q.keys.dead}, nil).ToMessage()
	if err != nil {
		return s
	}
	if state, err := readState(answer); err == nil {
		s.Known = true
		s.Depth, s.Bytes, s.DeadLetters = state.length, state.bytes, state.dead
		s.OldestAge = max(0, time.Duration(state.age)*time.Millisecond)
	}
	return s
}

// queueState is what the script function state() returns.
type queueState struct {
	length, age, bytes, dead int64
	last                     string
}

func readState(message valkey.ValkeyMessage) (s queueState, err error) {
	parts, err := message.ToArray()
	if err != nil || len(parts) != 5 {
		return s, fmt.Errorf("read the queue's state: %w", errors.Join(err, errUnexpected))
	}
	for i, field := range []*int64{&s.length, &s.age, &s.bytes, &s.dead} {
		if *field, err = parts[i].AsInt64(); err != nil {
			return s, fmt.Errorf("read the queue's state: %w", err)
		}
	}
	if s.last, err = parts[4].ToString(); err != nil {
		return s, fmt.Errorf("read the queue's state: %w", err)
	}
	return s, nil
}

// DeadLetter is a value that was given up.
type DeadLetter struct {
	// Key, Version and Data are the entry's, as far as they could be read.
	Key     string
	Version int64
	Data    []byte
	// Reason is the error that condemned it, cut to 500 bytes.
	Reason string
	// Time is when it was given up, by Valkey's clock; zero in OnDeadLetter.
	Time time.Time
}

// DeadLetters returns up to limit dead letters, the newest first.
func (q *Queue[T]) DeadLetters(ctx context.Context, limit int64) ([]DeadLetter, error) {
	client := q.link.client()
	if client == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	entries, err := client.Do(ctx, client.B().Xrevrange().Key(q.keys.dead).End("+").Start("-").Count(limit).Build()).AsXRange()
	if err != nil {
		return nil, fmt.Errorf("read the dead letters of queue %s: %w", q.options.Name, err)
	}
	letters := make([]DeadLetter, len(entries))
	for i, e := range entries {
		version, _ := strconv.ParseInt(e.FieldValues["version"], 10, 64) // it may be what could not be read
		ms, _, _ := strings.Cut(e.ID, "-")
		at, _ := strconv.ParseInt(ms, 10, 64) // Valkey made it
		letters[i] = DeadLetter{
			Key: e.FieldValues["key"], Version: version, Data: []byte(e.FieldValues["data"]),
			Reason: e.FieldValues["reason"], Time: time.UnixMilli(at).UTC(),
		}
	}
	return letters, nil
}

// writeQueues writes the metrics of the manager's queues.
func (m *Manager) writeQueues(w io.Writer) {
	m.mu.Lock()
	queues := slices.Clone(m.queues)
	m.mu.Unlock()
	if len(queues) == 0 {
		return
	}
	stats := make([]QueueStats, len(queues))
	for i, ask := range queues {
		stats[i] = ask(m.ctx)
	}
	WriteQueueMetrics(w, m.cfg.MetricPrefix, stats...)
}

// queueMetric is one family of metrics with its values for each queue.
type queueMetric struct {
	name, kind, help string
	reasons          bool // its values differ by reason
	values           func(QueueStats) []queueValue
}

type queueValue struct {
	reason string // "" if there is none
	n      float64
}

func queueFamilies() []queueMetric {
	one := func(value func(QueueStats) int64) func(QueueStats) []queueValue {
		return func(s QueueStats) []queueValue { return []queueValue{{n: float64(value(s))}} }
	}
	known := func(value func(QueueStats) float64) func(QueueStats) []queueValue {
		return func(s QueueStats) []queueValue {
			if !s.Known {
				return nil
			}
			return []queueValue{{n: value(s)}}
		}
	}
	return []queueMetric{
		{"depth", "gauge", "Values that are queued and not applied yet.", false, known(func(s QueueStats) float64 { return float64(s.Depth) })},
		{"bytes", "gauge", "Bytes of keys and values that are not applied yet.", false, known(func(s QueueStats) float64 { return float64(s.Bytes) })},
		{"oldest_age_seconds", "gauge", "How long the oldest value has been waiting.", false, known(func(s QueueStats) float64 { return s.OldestAge.Seconds() })},
		{"dead_letters", "gauge", "Values that were given up and are kept.", false, known(func(s QueueStats) float64 { return float64(s.DeadLetters) })},
		{"submitted_total", "counter", "Values that were queued.", false, one(func(s QueueStats) int64 { return s.Submitted })},
		{"refused_total", "counter", "Values that were not queued, so that callers wrote them through.", true, func(s QueueStats) []queueValue {
			values := make([]queueValue, 0, refusalCount)
			for _, reason := range refusalNames {
				values = append(values, queueValue{reason, float64(s.Refused[reason])})
			}
			return values
		}},
		{"batches_total", "counter", "Batches handed to the database.", false, one(func(s QueueStats) int64 { return s.Batches })},
		{"failed_batches_total", "counter", "Batches that failed and were repeated or split.", false, one(func(s QueueStats) int64 { return s.Failures })},
		{"applied_total", "counter", "Entries that left the queue because they or a newer value were committed.", false, one(func(s QueueStats) int64 { return s.Applied })},
		{"coalesced_total", "counter", "Entries that a newer value of their key made needless.", false, one(func(s QueueStats) int64 { return s.Coalesced })},
		{"given_up_total", "counter", "Values that were moved to the dead letters.", false, one(func(s QueueStats) int64 { return s.Buried })},
	}
}

// WriteQueueMetrics writes the figures of queues in Prometheus' text form, their
// names beginning with prefix. A queue whose state is not known has no lines for
// its depth and age, so that an alert on their absence can tell.
func WriteQueueMetrics(w io.Writer, prefix string, queues ...QueueStats) {
	for _, family := range queueFamilies() {
		name := prefix + "queue_" + family.name
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, family.help, name, family.kind)
		for _, s := range queues {
			for _, v := range family.values(s) {
				labels := "entity=" + strconv.Quote(s.Name)
				if v.reason != "" {
					labels += ",reason=" + strconv.Quote(v.reason)
				}
				fmt.Fprintf(w, "%s{%s} %s\n", name, labels, strconv.FormatFloat(v.n, 'g', -1, 64))
			}
		}
	}
}
