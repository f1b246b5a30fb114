package server

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/model/jsonscan"
)

// maxKnownWords bounds the words that a lineDecoder keeps.
const maxKnownWords = 1024

// lineDecoder reads the signals of a stream, one a line, and the rows of an array. What is
// plainly right, as most are, is looked at once; whatever is not goes the way by the
// schema, which takes ten times as long and can tell what is wrong. Not for concurrent
// use.
type lineDecoder struct {
	*signalReader

	scan jsonscan.Scanner
	// words keeps names of neurons and the like: the same few come in most lines.
	words map[string]string
	buf   []byte // of strings with escapes
	id    *uuid.UUID
	// What the fields of the line under way point to. The words are those of the lines
	// before until they are read: word compares with them first.
	parsed                                    uuid.UUID
	from, to, layerFrom, layerTo, propagation string
	at                                        time.Time
}

func newLineDecoder(r *signalReader) *lineDecoder {
	return &lineDecoder{signalReader: r, words: map[string]string{}}
}

// decode is the row to be stored, or all that is wrong with the line.
func (d *lineDecoder) decode(line []byte) (model.SignalInsertParams, []problemField) {
	if row, ok := d.quick(line); ok {
		return row, nil
	}
	return d.read(line, -1)
}

// quick accepts nothing that read would refuse, and makes the same of what it accepts.
func (d *lineDecoder) quick(line []byte) (model.SignalInsertParams, bool) {
	in, ok := d.fields(line)
	if !ok || in.Content == "" || in.LayerTo == "" {
		return model.SignalInsertParams{}, false
	}
	row, err := in.row()
	if err == nil {
		row.ID, row.Timestamp, err = d.identities.Identify(d.id, in.Timestamp)
	}
	return row, err == nil
}

// The fields of a signal that were seen in a line, a bit for each.
const (
	seenID = 1 << iota
	seenFrom
	seenTo
	seenLayerFrom
	seenLayerTo
	seenPropagation
	seenContent
	seenMetadata
	seenTimestamp
)

// fields takes a line apart that has known names alone, none twice, and values within
// their bounds.
func (d *lineDecoder) fields(line []byte) (in signalFields, ok bool) {
	s := &d.scan
	s.Reset(line)
	d.id = nil
	s.Space()
	if !s.Byte('{') {
		return in, false
	}
	for seen := 0; ; {
		s.Space()
		name, escaped, ok := s.String()
		if !ok || escaped {
			return in, false
		}
		name = name[1 : len(name)-1]
		s.Space()
		if !s.Byte(':') {
			return in, false
		}
		s.Space()
		bit, ok := d.field(&in, name)
		if !ok || seen&bit != 0 {
			return in, false
		}
		seen |= bit
		s.Space()
		if s.Byte('}') {
			return in, s.End()
		}
		if !s.Byte(',') {
			return in, false
		}
	}
}

// field takes the value of one name.
func (d *lineDecoder) field(in *signalFields, name []byte) (bit int, ok bool) {
	switch string(name) {
	case "id":
		return seenID, d.uuid()
	case "from_neuron":
		in.FromNeuron, ok = d.neuron(&d.from)
		return seenFrom, ok
	case "to_neuron":
		in.ToNeuron, ok = d.neuron(&d.to)
		return seenTo, ok
	case "layer_from":
		in.LayerFrom, ok = d.word(&d.layerFrom)
		return seenLayerFrom, ok
	case "layer_to":
		var v *string
		if v, ok = d.word(&d.layerTo); v == nil {
			return seenLayerTo, false
		}
		in.LayerTo = *v
		return seenLayerTo, ok
	case "propagation_type":
		in.PropagationType, ok = d.word(&d.propagation)
		return seenPropagation, ok
	case "content":
		in.Content, ok = d.content()
		return seenContent, ok
	case "metadata":
		in.Metadata.text, ok = d.metadata()
		return seenMetadata, ok
	case "timestamp":
		in.Timestamp, ok = d.moment()
		return seenTimestamp, ok
	default:
		return 0, false
	}
}

// text takes a string and undoes its escapes; it is valid until the next call.
func (d *lineDecoder) text() ([]byte, bool) {
	quoted, escaped, ok := d.scan.String()
	if !ok {
		return nil, false
	}
	if !escaped {
		return quoted[1 : len(quoted)-1], true
	}
	var err error
	d.buf, err = jsontext.AppendUnquote(d.buf[:0], quoted)
	return d.buf, err == nil
}

// word takes a short string, or null. Most are the same as in the line before.
func (d *lineDecoder) word(to *string) (*string, bool) {
	if d.scan.Null() {
		return nil, true
	}
	text, ok := d.text()
	if ok && len(text) > 0 && string(text) == *to {
		return to, true
	}
	if !ok || len(text) == 0 || len(text) > maxName && utf8.RuneCount(text) > maxName {
		return nil, false
	}
	known, ok := d.words[string(text)]
	if !ok {
		known = string(text)
		if len(d.words) >= maxKnownWords {
			clear(d.words)
		}
		d.words[known] = known
	}
	*to = known
	return to, true
}

// neuron takes the name of one, or null.
func (d *lineDecoder) neuron(to *string) (*neuronName, bool) {
	name, ok := d.word(to)
	if name == nil {
		return nil, ok
	}
	return (*neuronName)(name), ok && model.NeuronIDPlain(*name)
}

func (d *lineDecoder) content() (longText, bool) {
	text, ok := d.text()
	if !ok || len(text) > maxText {
		return "", false
	}
	return longText(text), true
}

func (d *lineDecoder) uuid() bool {
	if d.scan.Null() {
		return true
	}
	text, ok := d.text()
	if !ok || len(text) != uuidLength {
		return false
	}
	var err error
	d.parsed, err = uuid.ParseBytes(text)
	d.id = &d.parsed
	return err == nil
}

func (d *lineDecoder) metadata() (jsontext.Value, bool) {
	if d.scan.Null() {
		return nil, true
	}
	// The line is an object around it.
	text, spaced, ok := d.scan.Object(min(model.MaxJSONDepth, d.maxDepth-1))
	switch {
	case !ok:
		return nil, false
	case spaced:
		text = jsonscan.AppendCompact(make([]byte, 0, len(text)), text)
	default:
		text = bytes.Clone(text)
	}
	return text, len(text) <= maxMetadata
}

func (d *lineDecoder) moment() (*time.Time, bool) {
	if d.scan.Null() {
		return nil, true
	}
	text, ok := d.text()
	return &d.at, ok && d.at.UnmarshalText(text) == nil && strictMoment(text)
}

// strictMoment tells whether a moment that package time has read is as RFC 3339 wants it:
// that package takes hours of one digit, a comma before the fraction and any zone.
func strictMoment(text []byte) bool {
	const seconds, zone = len("2006-01-02T15:04:05"), len("-07:00")
	if text[len("2006-01-02T15")] != ':' || text[seconds] == ',' {
		return false
	}
	rest := text[len(text)-zone:]
	return text[len(text)-1] == 'Z' || string(rest[1:3]) < "24" && rest[4] < '6'
}
