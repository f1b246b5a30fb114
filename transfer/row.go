package transfer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// What the service takes at its edge; the same limits hold for its requests.
const (
	maxName     = 255     // characters
	maxContent  = 1 << 20 // bytes; larger values are not even read
	maxMetadata = 64 << 10
)

// skip says why a row cannot be imported. Reason is the same for all rows with the
// same fault, so that they can be counted; detail is about this one.
type skip struct {
	reason string
	detail string
}

func (e *skip) Error() string {
	if e.detail == "" {
		return e.reason
	}
	return e.reason + ": " + e.detail
}

// row is one row of a source on its way into the store. Its readers return a *skip
// as error.
type row struct {
	reader *rowReader
	rowid  any // nil in a table without
	index  map[string]int
	values []any
	extra  []string    // columns that no entity has, kept as legacy_…
	tooBig string      // a column whose value is over maxContent and was not read
	notes  []string    // what was adapted
	fates  []fieldFate // what became of values that are not stored as they are
}

func (r *row) value(column string) any {
	if i, found := r.index[column]; found {
		return r.values[i]
	}
	return nil
}

// note tells that something was adapted; the report counts equal notes.
func (r *row) note(what string) { r.notes = append(r.notes, what) }

// converted tells that a column's value was stored in another form; said so that the
// report counts the row as adapted.
func (r *row) converted(column, how string) {
	r.note(how)
	r.reshaped(column, how)
}

// reshaped is converted for another spelling of the same value, which is told of the
// column alone.
func (r *row) reshaped(column, how string) {
	r.fates = append(r.fates, fieldFate{column: column, how: how})
}

// keptAside tells that a column's value did not fit where it belongs and where it is kept.
func (r *row) keptAside(column, where string) {
	r.note(where)
	r.fates = append(r.fates, fieldFate{column: column, how: where, aside: true})
}

// label names the row for a person: its id if it has a printable one.
func (r *row) label() string {
	id, _ := textOf(r.value("id"))
	return shorten(id)
}

// textOf reads a value as text; false for NULL.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	default:
		return "", false
	}
}

// name reads a word that the store keeps within maxName characters: "" for NULL.
func (r *row) name(column string) (string, error) {
	s, _ := textOf(r.value(column))
	return checkName(column, s)
}

// word is name for a word of a fixed set, which the original wrote as JSON.
func (r *row) word(column string) (string, error) {
	s, _ := textOf(r.value(column))
	word := unquoteJSON(s)
	if word != s {
		r.reshaped(column, "the quotes of JSON were taken off")
	}
	return checkName(column, word)
}

func checkName(column, s string) (string, error) {
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return "", &skip{column + " contains the NUL character", shorten(s)}
	case !utf8.ValidString(s):
		return "", &skip{column + " is not valid UTF-8", shorten(s)}
	case utf8.RuneCountInString(s) > maxName:
		return "", &skip{fmt.Sprintf("%s is longer than %d characters", column, maxName), shorten(s)}
	}
	return s, nil
}

// required is name for a column that must not be empty.
func (r *row) required(column string) (string, error) {
	s, err := r.name(column)
	if err == nil && s == "" {
		return "", &skip{column + " is empty", ""}
	}
	return s, err
}

// optionalWord is word for a column that may be NULL in the store.
func (r *row) optionalWord(column string) (*string, error) {
	s, err := r.word(column)
	if err != nil || s == "" {
		return nil, err
	}
	return &s, nil
}

// layer reads a layer: one that the service knows in its short form.
func (r *row) layer(column string) (string, error) {
	s, err := r.word(column)
	if err != nil {
		return "", err
	}
	short, known := model.ParseLayer(s)
	if known && short != s {
		r.converted(column, column+" was spelled otherwise than L1 to L4")
		return short, nil
	}
	return s, nil
}

// id reads the id of an entity, and the old one if a new one had to be made.
func (r *row) id(entity string) (id uuid.UUID, legacy string, err error) {
	const size = 16
	if b, ok := r.value("id").([]byte); ok && len(b) == size && !utf8.Valid(b) {
		r.converted("id", "id was the 16 bytes of a UUID")
		return uuid.UUID(b), "", nil
	}
	old, _ := textOf(r.value("id"))
	switch {
	case old == "":
		return id, "", &skip{"id is empty", ""}
	case strings.IndexByte(old, 0) >= 0 || !utf8.ValidString(old):
		return id, "", &skip{"id is no valid text", shorten(old)}
	}
	id, kept := newID(entity, old)
	if kept {
		return id, "", nil
	}
	r.converted("id", "id was no UUID: one was made from it, the old one is kept as legacy_id")
	return id, old, nil
}

// moment reads a time that must be there.
func (r *row) moment(column string) (time.Time, error) {
	v := r.value(column)
	if v == nil {
		return time.Time{}, &skip{column + " is empty", ""}
	}
	t, err := parseTime(v)
	if err != nil {
		text, _ := textOf(v)
		return time.Time{}, &skip{column + " is " + err.Error(), shorten(text)}
	}
	r.timeForm(column, v, t)
	return t, nil
}

// content reads the text of a signal or memory. What the engines cannot store is
// replaced by U+FFFD, and the original bytes are returned as a member to keep.
func (r *row) content() (string, []member, error) {
	s, found := textOf(r.value("content"))
	if !found {
		return "", nil, &skip{"content is NULL", ""}
	}
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s, nil, nil
	}
	r.converted("content", "content held NUL or broken UTF-8: replaced, the original is kept as legacy_content_base64")
	repaired := strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	return repaired, []member{base64Member("legacy_content_base64", []byte(s))}, nil
}

func base64Member(name string, b []byte) member {
	return member{name, quoteJSON(base64.StdEncoding.EncodeToString(b))}
}

// object reads a column of JSON. Whatever is no JSON object of the kind that both
// engines store is kept as a member legacy_COLUMN.
func (r *row) object(column string) object {
	text, found := textOf(r.value(column))
	if text = strings.TrimSpace(text); !found || text == "" || text == "null" {
		return object{}
	}
	valid := model.CheckJSON("", column, model.JSON(text)) == nil
	if valid {
		if o, ok := parseObject([]byte(text)); ok {
			return o
		}
	}
	var o object
	switch {
	case valid:
		r.keptAside(column, column+" was no JSON object: kept as legacy_"+column)
		o.add("legacy_"+column, []byte(text))
	case strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text):
		r.keptAside(column, column+" was no valid text: kept as legacy_"+column+"_base64")
		o.addAll([]member{base64Member("legacy_"+column+"_base64", []byte(text))})
	default:
		r.keptAside(column, column+" was no JSON that both engines store: its text is kept as legacy_"+column)
		o.addText("legacy_"+column, text)
	}
	return o
}

// legacy returns what the columns hold that no entity has.
func (r *row) legacy() []member {
	var members []member
	for _, column := range r.extra {
		if m, ok := legacyMember(column, r.value(column)); ok {
			r.keptAside(column, "column "+strconv.Quote(column)+" is unknown: kept as legacy_"+column)
			members = append(members, m)
		}
	}
	return members
}

func legacyMember(column string, v any) (member, bool) {
	name := "legacy_" + strings.ReplaceAll(strings.ToValidUTF8(column, "\uFFFD"), "\x00", "\uFFFD")
	switch v := v.(type) {
	case nil:
		return member{}, false
	case string:
		if utf8.ValidString(v) && strings.IndexByte(v, 0) < 0 {
			return member{name, quoteJSON(v)}, true
		}
		return base64Member(name+"_base64", []byte(v)), true
	case []byte:
		return base64Member(name+"_base64", v), true
	default:
		if number, err := numberJSON(v); err == nil {
			return member{name, number}, true
		}
		text, _ := textOf(v) // an infinity
		return member{name, quoteJSON(text)}, true
	}
}

// float reads a number; absent stands for NULL.
func (r *row) float(column string, absent float64) (float64, error) {
	var f float64
	switch v := r.value(column).(type) {
	case nil:
		return absent, nil
	case float64:
		f = v
	case int64:
		f = float64(v)
	default:
		text, _ := textOf(v)
		var err error
		if f, err = strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil {
			return 0, &skip{column + " is no number", shorten(text)}
		}
		r.reshaped(column, "a number written as text")
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, &skip{column + " is no finite number", ""}
	}
	return f, nil
}

// count reads a whole number; NULL is 0.
func (r *row) count(column string) (int64, error) {
	switch v := r.value(column).(type) {
	case nil:
		return 0, nil
	case int64:
		return v, nil
	case float64:
		const exact = 1 << 53 // beyond, a float tells not every whole number
		if v != math.Trunc(v) || math.Abs(v) > exact {
			text, _ := textOf(v)
			return 0, &skip{column + " is no whole number", shorten(text)}
		}
		r.reshaped(column, "a whole number as a floating-point number")
		return int64(v), nil
	default:
		text, _ := textOf(v)
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, ".0")), 10, 64)
		if err != nil {
			return 0, &skip{column + " is no whole number", shorten(text)}
		}
		return n, nil
	}
}

// stored writes an object, unless it is larger than the service takes.
func (o *object) stored(column string) (model.JSON, error) {
	j := o.json()
	if len(j) > maxMetadata {
		return nil, &skip{fmt.Sprintf("%s is larger than %d bytes", column, maxMetadata), strconv.Itoa(len(j))}
	}
	if err := model.CheckJSON("", column, j); err != nil {
		return nil, &skip{column + " cannot be stored", reasonOf(err)}
	}
	return j, nil
}

// reasonOf is what an error of the store says about a value.
func reasonOf(err error) string {
	if refused, ok := errors.AsType[*model.Error](err); ok {
		return strings.TrimSpace(refused.Field + " " + refused.Reason)
	}
	return err.Error()
}

// shorten makes a value fit into a line.
func shorten(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most]) + "…"
	}
	return s
}
