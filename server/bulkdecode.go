package server

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/hal9-ai/hal9/model"
)

// lineDecoder reads the signals of a stream, one a line. A line that is right, as
// most are, is decoded once; whatever is not plainly right goes the way of the rows
// of an array, which takes three times as long and can tell what is wrong.
type lineDecoder struct {
	*signalReader
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
	// An escaped NUL is the only way for one to come in, and rare in any case.
	if bytes.Contains(line, []byte(`\u0000`)) {
		return model.SignalInsertParams{}, false
	}
	var in signalFields
	// The decoder by itself refuses duplicate names, broken UTF-8 and lone surrogates.
	if err := json.Unmarshal(line, &in, json.RejectUnknownMembers(true)); err != nil {
		return model.SignalInsertParams{}, false
	}
	if in.Content == "" || len(in.Content) > maxText || !shortName(&in.LayerTo) ||
		!shortName(in.FromNeuron) || !shortName(in.ToNeuron) || !shortName(in.LayerFrom) || !shortName(in.PropagationType) {
		return model.SignalInsertParams{}, false
	}
	if len(in.Metadata.text) > 0 && (!d.shallow(in.Metadata.text) || len(in.Metadata.Resolve(nil, d.path)) > 0) {
		return model.SignalInsertParams{}, false
	}
	if in.ID != nil && !plainUUID(*in.ID) {
		return model.SignalInsertParams{}, false
	}
	row, err := in.params(d.identities)
	return row, err == nil
}

// shallow tells whether an object certainly nests within the bound on whole bodies,
// of which it is a part: no more opening brackets than that stand in it at all.
func (d *lineDecoder) shallow(object []byte) bool {
	return object[0] == '{' && bytes.Count(object, []byte{'{'})+bytes.Count(object, []byte{'['}) < d.maxDepth
}

// shortName tells whether a name has a length that the schema allows; none has.
func shortName(s *string) bool {
	return s == nil || *s != "" && (len(*s) <= maxName || utf8.RuneCountInString(*s) <= maxName)
}

// plainUUID tells whether an id has the form that the schema asks for.
func plainUUID(s string) bool {
	return len(s) == 36 && !strings.ContainsAny(s, "{}")
}
