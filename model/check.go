package model

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hal9-ai/hal9/model/jsonscan"
)

// MaxJSONDepth is how deep arrays and objects may nest in a stored JSON value.
// SQLite's parser gives up at 1,000 and PostgreSQL's at several thousand; one bound
// far below both makes them agree.
const MaxJSONDepth = 64

// The checks run in the generated adapters before a statement does, so that both
// engines refuse the same arguments with the same error. Left to themselves they
// differ: PostgreSQL refuses NUL, SQLite stores it; SQLite reads LIMIT -1 as no
// limit and stores NaN as NULL.

// CheckText refuses text that PostgreSQL cannot store: NUL and broken UTF-8.
func CheckText(entity, field, v string) error {
	if strings.IndexByte(v, 0) >= 0 {
		return invalid(entity, field, "must not contain the NUL character")
	}
	if !utf8.ValidString(v) {
		return invalid(entity, field, "must be valid UTF-8")
	}
	return nil
}

// CheckTextPtr is CheckText of a value that may be absent.
func CheckTextPtr(entity, field string, v *string) error {
	if v == nil {
		return nil
	}
	return CheckText(entity, field, *v)
}

// CheckFinite refuses NaN and the infinities.
func CheckFinite(entity, field string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return invalid(entity, field, "must be a finite number")
	}
	return nil
}

// CheckTime refuses moments outside the years 1 to 9999, which JSON cannot carry.
func CheckTime(entity, field string, v time.Time) error {
	if y := v.UTC().Year(); y < 1 || y > 9999 {
		return invalid(entity, field, "must lie in the years 1 to 9999")
	}
	return nil
}

// NormalTime is the form in which every moment is stored and compared: UTC, cut to
// microseconds.
func NormalTime(v time.Time) time.Time {
	return v.UTC().Truncate(time.Microsecond)
}

// CheckPageLimit refuses a negative number of rows.
func CheckPageLimit(entity, field string, v int64) error {
	if v < 0 {
		return invalid(entity, field, "must not be negative")
	}
	return nil
}

// CheckJSON refuses what one of the engines would not store or would change: text
// that is no JSON value, duplicate names, broken UTF-8 or lone surrogates, NUL in a
// string, numbers beyond float64 either way, nesting deeper than MaxJSONDepth.
func CheckJSON(entity, field string, v JSON) error {
	if string(v) == "{}" || jsonscan.Plain(v, MaxJSONDepth) {
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return &Error{Kind: ErrInvalid, Entity: entity, Field: field, Reason: "must be one valid JSON value: " + jsonReason(err)}
		}
		if dec.StackDepth() > MaxJSONDepth {
			return invalid(entity, field, "must not nest deeper than "+strconv.Itoa(MaxJSONDepth))
		}
		switch tok.Kind() {
		case '"':
			if strings.IndexByte(tok.String(), 0) >= 0 {
				return invalid(entity, field, "must not contain the NUL character in a string")
			}
		case '0':
			if !storableNumber(tok.String()) {
				return invalid(entity, field, "must not contain a number beyond the range of float64, or longer than "+strconv.Itoa(maxNumberLength)+" characters")
			}
		default:
		}
		if dec.StackDepth() == 0 {
			break
		}
	}
	if rest := bytes.TrimLeft(v[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return invalid(entity, field, "must be one valid JSON value, and has text after it")
	}
	return nil
}

// maxNumberLength lets every float64 pass, written out in full.
const maxNumberLength = 1100

// storableNumber tells whether both engines keep a JSON number. SQLite keeps any, as
// text; PostgreSQL's numeric ends at 131,072 digits before the point and 16,383
// after it, and counts those of a zero too.
func storableNumber(literal string) bool {
	if len(literal) > maxNumberLength {
		return false
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return false
	}
	mantissa, exponent := literal, ""
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		mantissa, exponent = literal[:i], literal[i+1:]
	}
	if f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return false
	}
	if exponent == "" {
		return true
	}
	e, err := strconv.Atoi(exponent)
	return err == nil && e >= -maxNumberLength && e <= maxNumberLength
}

// jsonReason shortens a decoder's error to what a client can use.
func jsonReason(err error) string {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && syntactic.Err != nil {
		return syntactic.Err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return "it cannot be read"
}

func invalid(entity, field, reason string) error {
	return &Error{Kind: ErrInvalid, Entity: entity, Field: field, Reason: reason}
}
