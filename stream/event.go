package stream

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// Event is a committed signal at its place in the feed. It is shared by all listeners:
// nobody changes it.
type Event struct {
	Signal   model.Signal
	Position Position

	once    sync.Once
	encoded []byte
}

// Encoded returns what encode makes of the event, which is called once for all listeners.
func (e *Event) Encoded(encode func(*Event) []byte) []byte {
	e.once.Do(func() { e.encoded = encode(e) })
	return e.encoded
}

// overhead is about what an event takes beside its texts.
const overhead = 300

func (e *Event) size() int {
	s := &e.Signal
	// The texts are there twice as soon as somebody had the event encoded.
	return overhead + 2*(len(s.Content)+len(s.Metadata)+len(s.FromNeuron)+len(s.ToNeuron))
}

// Position is a place in the feed, for a listener that comes back.
type Position struct {
	// At is when the server learned of the commit, in microseconds.
	At time.Time
	// Era and Seq are the place in the ring of one server; Era is empty where there is
	// none, as for signals that were read from the database.
	Era string
	Seq uint64
}

// ErrPosition says that a text is no position.
var ErrPosition = errors.New("no position of this feed")

// String writes the position in letters that fit into a header.
func (p Position) String() string {
	return strconv.FormatInt(p.At.UnixMicro(), 36) + "." + p.Era + "." + strconv.FormatUint(p.Seq, 36)
}

// ParsePosition reads what String wrote, ErrPosition if it is nothing of the kind.
func ParsePosition(s string) (Position, error) {
	at, rest, _ := strings.Cut(s, ".")
	era, seq, ok := strings.Cut(rest, ".")
	micro, errAt := strconv.ParseInt(at, 36, 64)
	n, errSeq := strconv.ParseUint(seq, 36, 64)
	if !ok || errAt != nil || errSeq != nil || micro < 0 || micro > model.MaxTime().UnixMicro() || len(era) > 32 {
		return Position{}, ErrPosition
	}
	return Position{At: time.UnixMicro(micro).UTC(), Era: era, Seq: n}, nil
}

// Filter says which signals a listener wants; an empty field wants all.
type Filter struct {
	Neuron          string // sent it or was sent it
	FromNeuron      string
	ToNeuron        string
	Layer           string // of either side
	PropagationType string
}

// Wants tells whether a signal passes.
func (f *Filter) Wants(s *model.Signal) bool {
	return (f.Neuron == "" || f.Neuron == s.FromNeuron || f.Neuron == s.ToNeuron) &&
		(f.FromNeuron == "" || f.FromNeuron == s.FromNeuron) &&
		(f.ToNeuron == "" || f.ToNeuron == s.ToNeuron) &&
		(f.Layer == "" || f.Layer == s.LayerFrom || f.Layer == s.LayerTo) &&
		(f.PropagationType == "" || f.PropagationType == s.PropagationType)
}
