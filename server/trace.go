package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

const traceDescription = "The trace tells in order of time what became of the signal: that it was received, " +
	"and the signals that were sent and the memories that were kept because of it, which name its id in their metadata as signal_id or parent_id. " +
	"Signals that are more than 30 days older than it are left out."

// traceBefore is how many days older than a signal one may be that its trace tells of. Without
// a bound each look at a signal opens all months that are kept.
const traceBefore = 30

// maxTrace bounds a trace.
const maxTrace = 200

// Trace is what became of a signal.
type Trace struct {
	Entries []traceEntry `json:"trace" nullable:"false" doc:"In order of time."`
	// Truncated keeps a client from taking the beginning for the whole.
	Truncated bool `json:"truncated" doc:"Whether the trace goes on beyond its first entries, of which it tells 200, or as many as have 8 MiB of text."`
}

// traceEntry is one event in the life of a signal.
type traceEntry struct {
	Timestamp time.Time `json:"timestamp"`
	NeuronID  string    `json:"neuron_id" doc:"Who did it." example:"strategic-planner"`
	Layer     string    `json:"layer" doc:"Empty for a memory without one." example:"L4"`
	Action    string    `json:"action" enum:"received,sent,remembered" doc:"The neuron received this signal, sent another because of it, or remembered something because of it."`
	Response  *string   `json:"response,omitempty" doc:"The content of what was sent or remembered."`
	ID        uuid.UUID `json:"id" format:"uuid" doc:"Of the signal or memory."`
}

const (
	actionReceived   = "received"
	actionSent       = "sent"
	actionRemembered = "remembered"
)

// tracedSignal is a signal with what became of it.
type tracedSignal struct {
	Signal
	Trace
}

type signalGetInput struct {
	UUIDPath
	IfNoneMatch
}

func fillSignalGet(c *gin.Context, in *signalGetInput) bool { return in.fill(c) }

// signalGet: a signal never changes, but its trace grows, and neither has a version:
// the ETag is made from the answer.
func (s *Server) signalGet(ctx context.Context, in *signalGetInput) (*answer[tracedSignal], error) {
	row, t, err := s.traceOf(ctx, &in.UUIDPath)
	if err != nil {
		return nil, err
	}
	a := ok(tracedSignal{Signal: signalOf(row), Trace: t})
	body, err := marshalAnswer(a.Body)
	if err != nil {
		return nil, err
	}
	return conditional(&in.IfNoneMatch, a, contentTag(body)), nil
}

// traceOf reads a signal and its trace.
func (s *Server) traceOf(ctx context.Context, in *UUIDPath) (model.Signal, Trace, error) {
	id, err := in.id()
	if err != nil {
		return model.Signal{}, Trace{}, err
	}
	row, err := s.readSignal(ctx, id)
	if err != nil {
		return model.Signal{}, Trace{}, err
	}
	signals, err := traceRows(s.pageBytes, func(r *model.Signal) int { return len(r.Content) }, func(most int64) ([]model.Signal, error) {
		return s.store.SignalListByReference(ctx, model.SignalListByReferenceParams{Reference: id, Since: traceSince(row.Timestamp), PageLimit: most})
	})
	if err != nil {
		return model.Signal{}, Trace{}, err
	}
	memories, err := traceRows(s.pageBytes, func(r *model.Memory) int { return len(r.Content) }, func(most int64) ([]model.Memory, error) {
		return s.store.MemoryListByReference(ctx, model.MemoryListByReferenceParams{Reference: id, PageLimit: most})
	})
	if err != nil {
		return model.Signal{}, Trace{}, err
	}
	return row, newTrace(row, signals, memories, s.pageBytes), nil
}

// traceSince is the moment from which on signals are looked at that may name one of a time.
// They came after it, but not by the clock of each sender.
func traceSince(at time.Time) time.Time {
	since := at.AddDate(0, 0, -traceBefore)
	if since.Year() < 1 {
		return time.Time{}
	}
	return since
}

// traceRows reads what may be in a trace: more than are told, unless the first are so long
// already that they fill it. One more than fits tells whether there are more. Should a
// signal name itself, it is one of them.
func traceRows[R any](mostBytes int, size func(*R) int, read func(most int64) ([]R, error)) ([]R, error) {
	rows, err := read(pageStep + 1)
	bytes := 0
	if err != nil || len(rows) <= pageStep || fitting(rows, size, &bytes, mostBytes) < len(rows) {
		return rows, err
	}
	return read(maxTrace + 1)
}

func newTrace(of model.Signal, signals []model.Signal, memories []model.Memory, mostBytes int) Trace {
	entries := make([]traceEntry, 0, 1+len(signals)+len(memories))
	entries = append(entries, traceEntry{
		Timestamp: of.Timestamp, NeuronID: of.ToNeuron, Layer: of.LayerTo, Action: actionReceived, ID: of.ID,
	})
	for i := range signals {
		if row := &signals[i]; row.ID != of.ID {
			entries = append(entries, traceEntry{
				Timestamp: row.Timestamp, NeuronID: row.FromNeuron, Layer: row.LayerFrom, Action: actionSent,
				Response: &row.Content, ID: row.ID,
			})
		}
	}
	for i := range memories {
		row := &memories[i]
		entry := traceEntry{
			Timestamp: row.CreatedAt, NeuronID: row.NeuronID, Action: actionRemembered, Response: &row.Content, ID: row.ID,
		}
		if row.Layer != nil {
			entry.Layer = *row.Layer
		}
		entries = append(entries, entry)
	}
	// The lists came in order of time and id, and stay so among themselves; at the
	// same time the signal comes first, then what was sent, then what was kept.
	slices.SortStableFunc(entries, func(a, b traceEntry) int { return cmp.Compare(a.Timestamp.UnixMicro(), b.Timestamp.UnixMicro()) })

	bytes := 0
	told := fitting(entries[:min(len(entries), maxTrace)], func(e *traceEntry) int {
		if e.Response == nil {
			return 0
		}
		return len(*e.Response)
	}, &bytes, mostBytes)
	return Trace{Entries: entries[:told], Truncated: told < len(entries)}
}
