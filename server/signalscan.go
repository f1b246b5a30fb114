package server

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hal9-ai/hal9/model/jsonscan"
)

// scanSignal takes the body of SignalSend apart if it is plainly right: known names, none
// twice, texts that may be stored. What it does not accept may be right all the same;
// what it accepts decodePlain would as well, and make the same of it.
func scanSignal(body []byte, in *contractSignal) bool {
	const seenContent, seenLayer, seenNeuron = 1, 2, 4
	var s jsonscan.Scanner
	s.Reset(body)
	s.Space()
	if !s.Byte('{') {
		return false
	}
	for seen := 0; ; {
		s.Space()
		name, escaped, ok := s.String()
		if !ok || escaped {
			return false
		}
		s.Space()
		if !s.Byte(':') {
			return false
		}
		s.Space()
		bit, most := 0, maxName
		switch string(name) {
		case `"content"`:
			bit, most = seenContent, maxText
		case `"layer"`:
			bit = seenLayer
		case `"neuron_id"`:
			bit = seenNeuron
		}
		if bit == 0 || seen&bit != 0 {
			return false
		}
		seen |= bit
		text, ok := scanText(&s)
		if !ok || text == "" || len(text) > most {
			return false
		}
		switch bit {
		case seenContent:
			in.Content = longText(text)
		case seenLayer:
			in.Layer = text
		default:
			if !plainName(text) {
				return false
			}
			neuron := neuronName(text) // moved to the heap, which the others need not be
			in.NeuronID = &neuron
		}
		s.Space()
		if s.Byte('}') {
			return seen&seenContent != 0 && seen&seenLayer != 0 && s.End()
		}
		if !s.Byte(',') {
			return false
		}
	}
}

// scanText takes a string and undoes its escapes.
func scanText(s *jsonscan.Scanner) (string, bool) {
	quoted, escaped, ok := s.String()
	if !ok {
		return "", false
	}
	if !escaped {
		return string(quoted[1 : len(quoted)-1]), true
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	return string(text), err == nil
}
