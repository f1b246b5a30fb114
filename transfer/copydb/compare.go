package copydb

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strings"
)

// same tells whether two values of a kind are the same.
func same(a, b Value, k Kind) bool {
	if a.null || b.null {
		return a.null == b.null
	}
	switch k {
	case Time, Bool, Int:
		return a.n == b.n
	case Float:
		x, y := math.Float64frombits(uint64(a.n)), math.Float64frombits(uint64(b.n)) //nolint:gosec // their bits
		return x == y || math.IsNaN(x) && math.IsNaN(y)
	case JSON:
		return a.s == b.s || sameJSON(a.s, b.s)
	default:
		return a.s == b.s
	}
}

// sameJSON compares JSON as values: spaces, the order of members and the writing of
// numbers mean nothing.
func sameJSON(a, b string) bool {
	x, errX := decodeJSON(a)
	y, errY := decodeJSON(b)
	return errX == nil && errY == nil && equalJSON(x, y)
}

func decodeJSON(text string) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err //nolint:wrapcheck // only whether there is one
}

func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		other, ok := b.(map[string]any)
		if !ok || len(a) != len(other) {
			return false
		}
		for name, value := range a {
			if o, found := other[name]; !found || !equalJSON(value, o) {
				return false
			}
		}
		return true
	case []any:
		other, ok := b.([]any)
		if !ok || len(a) != len(other) {
			return false
		}
		for i := range a {
			if !equalJSON(a[i], other[i]) {
				return false
			}
		}
		return true
	case json.Number:
		other, ok := b.(json.Number)
		return ok && (a == other || equalNumbers(string(a), string(other)))
	default:
		return a == b
	}
}

// equalNumbers compares without rounding. PostgreSQL writes numbers without exponents;
// one that is huger than it stores is compared as text alone.
func equalNumbers(a, b string) bool {
	const longest = 5 // digits of an exponent, with its sign
	for _, n := range []string{a, b} {
		if i := strings.IndexAny(n, "eE"); i >= 0 && len(n)-i-1 > longest {
			return false
		}
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}
