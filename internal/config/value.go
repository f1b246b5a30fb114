package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ByteSize is a number of bytes, written as 512KiB, 16MiB, 1GB or a plain number.
type ByteSize int64

// Binary units.
const (
	KiB ByteSize = 1 << (10 * (iota + 1))
	MiB
	GiB
)

// String writes the size with the largest binary unit that divides it.
func (b ByteSize) String() string {
	for _, u := range []struct {
		size ByteSize
		name string
	}{{GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// List is a list of words, written with commas between them; in YAML it may be a
// list as well.
type List string

// Items returns the words, without the spaces around them.
func (l List) Items() []string {
	var items []string
	for item := range strings.SplitSeq(string(l), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// fault is what is wrong with a value and how to mend it, not yet tied to a source.
type fault struct{ problem, mend string }

// How a boolean is written.
const (
	wordTrue  = "true"
	wordFalse = "false"
)

// parse reads the text of a value; the result has the type of the key's field.
func (k *Key) parse(text string) (any, *fault) {
	trimmed := strings.TrimSpace(text)
	var v any
	var ok bool
	var mend string
	switch k.Type {
	case TypeList:
		return List(strings.Join(List(trimmed).Items(), ", ")), nil
	case TypeBoolean:
		v, ok, mend = trimmed == wordTrue, trimmed == wordTrue || trimmed == wordFalse, "write true or false"
	case TypeInteger:
		n, err := strconv.ParseInt(trimmed, 10, 32)
		v, ok, mend = int(n), err == nil, "write a whole number, such as 20"
	case TypeFraction:
		f, err := strconv.ParseFloat(trimmed, 64)
		v, ok = f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
		mend = "write a number, such as 0.5"
	case TypeDuration:
		v, ok = parseDuration(trimmed)
		mend = "write a duration such as 500ms, 10s, 15m, 2h or 90d, or a whole number of seconds"
	case TypeSize:
		v, ok = parseSize(trimmed)
		mend = "write a size such as 512KiB, 16MiB or 1GiB, or a whole number of bytes"
	default:
		return trimmed, nil
	}
	if ok {
		return v, nil
	}
	return nil, &fault{quote(trimmed) + " is no " + k.Type, mend}
}

// parseDuration reads a whole number as seconds, and days besides Go's units.
func parseDuration(text string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return multiply(n, time.Second)
	}
	var days time.Duration
	if head, rest, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseInt(head, 10, 64)
		if err != nil {
			return 0, false
		}
		var ok bool
		if days, ok = multiply(n, 24*time.Hour); !ok {
			return 0, false
		}
		if text = rest; text == "" {
			return days, true
		}
		if n < 0 || strings.ContainsAny(rest[:1], "+-") {
			return 0, false
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || days > math.MaxInt64-max(d, 0) {
		return 0, false
	}
	return days + d, true
}

func multiply(n int64, unit time.Duration) (time.Duration, bool) {
	if limit := math.MaxInt64 / int64(unit); n > limit || n < -limit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// parseSize reads whole numbers with decimal or binary units. A bare "16M" is
// refused: it means either.
func parseSize(text string) (ByteSize, bool) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	units := map[string]int64{
		"": 1, "b": 1,
		"kb": 1e3, "mb": 1e6, "gb": 1e9,
		"kib": int64(KiB), "mib": int64(MiB), "gib": int64(GiB),
	}
	unit, known := units[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !known || err != nil || n > math.MaxInt64/unit || n < -math.MaxInt64/unit {
		return 0, false
	}
	return ByteSize(n * unit), true
}

// format writes a value as it could stand in the configuration.
func format(v any) string {
	switch v := v.(type) {
	case time.Duration:
		return formatDuration(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// formatDuration writes whole days, else Go's notation without its empty tail.
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// quote shows a value in an error. A value that might carry a password, put in
// the wrong place, is not shown.
func quote(text string) string {
	if strings.Contains(text, "://") || strings.Contains(text, "@") || suggestsSecret(text) {
		return "the value (not shown)"
	}
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "…"
	}
	return strconv.Quote(text)
}
