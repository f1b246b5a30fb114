package transfer

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/model"
)

var errTimestamp = errors.New("no known form of a time")

// parseTime reads a moment in any form that the original or SQLite write: epoch
// seconds as a number or text (milliseconds, microseconds and nanoseconds are told
// by their size), RFC 3339, and "YYYY-MM-DD HH:MM:SS" with fractions and offset or
// without, then in UTC. It returns UTC, cut to microseconds.
func parseTime(v any) (time.Time, error) {
	var t time.Time
	var ok bool
	switch v := v.(type) {
	case int64:
		t, ok = epochInt(v), true
	case float64:
		t, ok = epochFloat(v)
	case string:
		t, ok = parseTimeText(v)
	case []byte:
		t, ok = parseTimeText(string(v))
	}
	if !ok {
		return time.Time{}, errTimestamp
	}
	t = model.NormalTime(t)
	if model.CheckTime("", "", t) != nil {
		return time.Time{}, errors.New("a time outside the years 1 to 9999")
	}
	return t, nil
}

// The magnitudes at which a count of seconds would lie beyond the year 5138, so
// that it counts smaller units.
const (
	leastMillis = 100_000_000_000
	leastMicros = leastMillis * 1000
	leastNanos  = leastMicros * 1000
)

func epochInt(v int64) time.Time {
	switch size := max(v, -v); {
	case v == math.MinInt64 || size >= leastNanos:
		return time.Unix(0, v)
	case size >= leastMicros:
		return time.UnixMicro(v)
	case size >= leastMillis:
		return time.UnixMilli(v)
	default:
		return time.Unix(v, 0)
	}
}

func epochFloat(v float64) (time.Time, bool) {
	switch size := math.Abs(v); {
	case size < leastMillis:
		return time.UnixMicro(int64(math.Round(v * 1e6))), true
	case size < leastMicros:
		return time.UnixMicro(int64(math.Round(v * 1e3))), true
	case size < leastNanos:
		return time.UnixMicro(int64(math.Round(v))), true
	default: // NaN too
		return time.Time{}, false
	}
}

func parseTimeText(s string) (time.Time, bool) {
	s = strings.TrimSpace(unquoteJSON(strings.TrimSpace(s)))
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return epochInt(n), true
	}
	if strings.Trim(s, "+-.0123456789") == "" {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return epochFloat(f)
		}
	}
	s = strings.ToUpper(s)            // RFC 3339 allows t and z
	s = strings.TrimSuffix(s, " UTC") // as Rust's chrono prints
	if len(s) > len("2006-01-02") && s[len("2006-01-02")] == ' ' {
		s = s[:len("2006-01-02")] + "T" + s[len("2006-01-02")+1:]
	}
	// Fractions of a second are read even where the layout has none.
	for _, layout := range []string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04:05 Z07:00",
		"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05 Z0700", "2006-01-02T15:04:05Z07",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
