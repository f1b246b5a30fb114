package apifuzz

import (
	"encoding/json"
	"strings"
)

// spoil puts one fault somewhere into the value.
func (d *drawer) spoil(root *node) {
	all := slots(root)
	s := pick(d, all)
	if s.in != nil {
		switch d.IntN(8) {
		case 0: // missing
			if i := s.in.index(s.name); i >= 0 {
				s.in.fields = append(s.in.fields[:i], s.in.fields[i+1:]...)
			}
			return
		case 1: // doubled
			s.in.fields = append(s.in.fields, field{s.name, pick(d, []node{s.get(), nil, "x"})})
			return
		case 2: // doubled, but spelt with an escape
			if len(s.name) > 0 && s.name[0] < 0x80 && s.name[0] > 0x20 {
				s.in.fields = append(s.in.fields, field{`"` + escaped(s.name[0]) + s.name[1:] + `"`, s.get()})
				return
			}
		case 3: // unknown
			s.in.set(pick(d, []string{"no_such", strings.ToUpper(s.name), s.name + " ", "version", "is_admin", "role", "__proto__", "Id", ""}), pick(d, []node{nil, "x", true}))
			return
		}
	}
	s.set(d.wrong())
}

func escaped(c byte) string {
	const digits = "0123456789abcdef"
	return `\u00` + string(digits[c>>4]) + string(digits[c&15])
}

// wrong draws a value that hardly fits anywhere.
func (d *drawer) wrong() node {
	return pick(d, []node{
		nil, true, "", " ", "x", json.Number("0"), json.Number("-1"), json.Number("1.5"), &members{}, &list{}, &list{items: []node{nil}},
		&members{fields: []field{{"x", "y"}}},
		raw("1e999"), raw("-1e999"), raw("99999999999999999999999999"), raw("9223372036854775808"), raw("-9223372036854775809"), raw("1e-999"), raw("01"), raw("+1"), raw(".5"), raw("NaN"), raw("Infinity"), raw("0x10"),
		raw(`"\u0000"`), raw(`"a\u0000b"`), raw(`"\ud800"`), raw(`"\udc00\ud800"`), raw(`"\ud83d\ude00"`), raw(`"\uD83D"`), raw("\"\xff\""), raw("\"\xc0\x80\""), raw("\"\xed\xa0\x80\""), raw(`"\x"`), raw(`"\u12"`), raw("\"\n\""),
		raw(`{"a":"\u0000"}`), raw(`{"\u0000":1}`), raw(`{"a":{"b":[1e400]}}`), raw(`{"a":1,"a":2}`), raw(`{"a":"\ud800"}`), raw(`{"":{"":{"":null}}}`),
		raw(strings.Repeat("[", 63) + strings.Repeat("]", 63)), raw(strings.Repeat("[", 64) + strings.Repeat("]", 64)), raw(strings.Repeat(`{"a":`, 61) + "1" + strings.Repeat("}", 61)),
		raw(strings.Repeat(`{"a":`, 62) + "1" + strings.Repeat("}", 62)), raw(strings.Repeat(`{"a":`, 63) + "1" + strings.Repeat("}", 63)), raw(strings.Repeat("[", 20000) + strings.Repeat("]", 20000)),
		raw(`{"a":"` + strings.Repeat("x", 64<<10) + `"}`), raw(`{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`), raw(`{"a":"` + strings.Repeat("x", 64<<10-7) + `"}`),
		strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("é", 255), strings.Repeat("😀", 255), strings.Repeat("😀", 256), strings.Repeat("x", 1024), strings.Repeat("é", 1025),
		"9999-99-99T00:00:00Z", "2026-01-31", "2026-01-31T12:00:00", "10000-01-01T00:00:00Z", "L9", "l1", "admin", "not-a-uuid", absent,
	})
}

// spoilText breaks the text of a body.
func (d *drawer) spoilText(body string) string {
	cut := 0
	if len(body) > 0 {
		cut = d.IntN(len(body))
	}
	return pick(d, []string{
		"", " ", "null", "0", `"x"`, "[]", "{}", "{", "[[[", "\ufeff" + body, body + body, body + "x", body + "\n", body + "\x00", body + " // c",
		body[:cut], body[:cut] + "\x00" + body[cut:], body[:cut] + "\xff" + body[cut:], body[:cut] + `\` + body[cut:], strings.ReplaceAll(body, `"`, "'"), "[" + body + "]",
		strings.Repeat("[", 100_000), strings.Repeat(" ", 1<<16) + body,
	})
}

// spoilQuery breaks a query.
func (d *drawer) spoilQuery(query string) string {
	piece := pick(d, []string{
		"nonsense=1", "limit=0", "limit=-1", "limit=1e3", "limit=99999999999999999999", "limit=%31", "limit=1&limit=2", "limit=", "limit", "=", "&&", ";", "%", "%zz", "x=%00",
		"cursor=%00", "cursor=AQ", "cursor=" + strings.Repeat("A", 2049), "cursor=AW5uZXVyb24tbDI", "neuron=%ff", "neuron=a%00b", "since=yesterday", "since=2026-01-31T12:00:00+02:00", "until=",
		"layer=L9", "q=%22", "q=%00", "q=" + strings.Repeat("a+", 1000), "%6cimit=3", "LIMIT=3", "limit[]=3", "neuron=" + strings.Repeat("x", 256), "detailed=maybe", "format=xml", "timeout_ms=0", "user_id=x",
	})
	if query == "" || d.chance(40) {
		return piece
	}
	if d.chance(30) {
		cut := d.IntN(len(query))
		return query[:cut] + pick(d, []string{"%", "&", "=", "%00", "%ff", "+", "#"}) + query[cut:]
	}
	return query + "&" + piece
}
