package model

import (
	"strings"
	"unicode"
)

// What a neuron's state means to its health.
const (
	ConditionRunning = "running"
	ConditionFailed  = "failed"
	ConditionStopped = "stopped"
)

// StateIdle is the state of a new neuron.
const StateIdle = "idle"

// ConditionOf tells what a state means: states are free words, and only "failed"
// and "stopped", in any case, say that the neuron is not running.
func ConditionOf(state string) string {
	switch strings.ToLower(state) {
	case "failed":
		return ConditionFailed
	case "stopped":
		return ConditionStopped
	default:
		return ConditionRunning
	}
}

// ParseLayer reads a layer's name in any case: L1 to L4, or execution,
// implementation, design, strategic. It returns the short form.
func ParseLayer(s string) (layer string, ok bool) {
	switch s {
	case "L1", "L2", "L3", "L4": // as most are written
		return s, true
	}
	switch strings.ToLower(s) {
	case "l1", "execution":
		return "L1", true
	case "l2", "implementation":
		return "L2", true
	case "l3", "design":
		return "L3", true
	case "l4", "strategic":
		return "L4", true
	default:
		return "", false
	}
}

// DefaultTarget is the neuron that a signal goes to when it names only a layer.
func DefaultTarget(layer string) string { return "neuron-" + strings.ToLower(layer) }

// NeuronIDRule says what NeuronIDPlain wants, for a sentence with "must".
const NeuronIDRule = "be a name without control characters, and neither . nor .."

// NeuronIDPlain tells whether a new neuron may have this id, as to its characters. A path
// that ends in . or .. is another one to most clients, however it is escaped, so that no
// route would reach the neuron; and a control character is seen by nobody.
// Names that databases brought along are kept as they are.
func NeuronIDPlain(id string) bool {
	for i := range len(id) {
		if b := id[i]; b < ' ' || b >= 0x7f {
			return strings.IndexFunc(id, unicode.IsControl) < 0
		}
	}
	return id != "." && id != ".."
}
