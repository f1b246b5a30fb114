package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// check judges one value by itself; run returns nil when there is nothing to say.
type check struct {
	allowed string
	run     func(v any) *fault
}

// minRetention keeps "90", which is 90 seconds, from deleting what 90 days should keep.
const minRetention = 24 * time.Hour

// The values of auth.mode.
const (
	AuthOpen     = "open"
	AuthRequired = "required"
)

// The values of auth.registration.
const (
	RegistrationOpen   = "open"
	RegistrationClosed = "closed"
)

// The values of database.pooler.
const (
	PoolerNone        = "none"
	PoolerTransaction = "transaction"
)

// The values of auth.hash_process.
const (
	HashProcessAuto = "auto"
	HashProcessOff  = "off"
)

// The values of log.format.
const (
	LogAuto = "auto"
	LogJSON = "json"
	LogText = "text"
)

func between(lowest, highest int) check {
	allowed := fmt.Sprintf("%d to %d", lowest, highest)
	return check{allowed, func(v any) *fault {
		if n, ok := v.(int); !ok || n < lowest || n > highest {
			return &fault{format(v) + " is out of range", "use " + allowed}
		}
		return nil
	}}
}

func sizeBetween(lowest, highest ByteSize) check {
	allowed := lowest.String() + " to " + highest.String()
	return check{allowed, func(v any) *fault {
		if n, ok := v.(ByteSize); !ok || n < lowest || n > highest {
			return &fault{format(v) + " is out of range", "use " + allowed}
		}
		return nil
	}}
}

func atLeast(lowest time.Duration) check {
	allowed := "at least " + formatDuration(lowest)
	if lowest == 0 {
		allowed = "0 or more"
	}
	return check{allowed, func(v any) *fault {
		d, ok := v.(time.Duration)
		switch {
		case ok && d >= lowest:
			return nil
		case d < 0:
			return &fault{format(v) + " is negative", "use " + allowed}
		default:
			return &fault{format(v) + " is too short", "use " + allowed}
		}
	}}
}

// retention is how long something is kept; what names one of it.
func retention(what string) check {
	allowed := "0, or at least " + formatDuration(minRetention)
	return check{allowed, func(v any) *fault {
		d, ok := v.(time.Duration)
		if ok && (d == 0 || d >= minRetention) {
			return nil
		}
		return &fault{
			format(v) + " would delete almost every " + what,
			"use " + allowed + "; a number without a unit is seconds, days are written 90d",
		}
	}}
}

func fraction() check {
	const allowed = "0 to 1"
	return check{allowed, func(v any) *fault {
		if f, ok := v.(float64); ok && f >= 0 && f <= 1 {
			return nil
		}
		return &fault{format(v) + " is out of range", "use " + allowed}
	}}
}

func oneOf(words ...string) check {
	allowed := strings.Join(words, ", ")
	return check{allowed, func(v any) *fault {
		for _, w := range words {
			if v == w {
				return nil
			}
		}
		return &fault{quote(format(v)) + " is not known", "use one of " + allowed}
	}}
}

// oneOfOrNone is oneOf for a key that may be left out.
func oneOfOrNone(words ...string) check {
	c := oneOf(words...)
	return check{c.allowed, func(v any) *fault {
		if v == "" {
			return nil
		}
		return c.run(v)
	}}
}

// plainWord accepts printable text without spaces, since it becomes part of cache keys.
func plainWord(longest int) check {
	allowed := "1 to " + strconv.Itoa(longest) + " printable characters without spaces"
	return check{allowed, func(v any) *fault {
		s, ok := v.(string)
		bad := strings.ContainsFunc(s, func(r rune) bool {
			return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
		})
		if !ok || bad || s == "" || len(s) > longest {
			return &fault{quote(s) + " cannot be used", "use " + allowed}
		}
		return nil
	}}
}
