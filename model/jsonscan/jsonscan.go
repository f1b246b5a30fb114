// Package jsonscan walks over JSON text that is plainly right. It accepts part of
// what [jsontext] accepts with its strict defaults, and nothing else: no name twice in
// an object, no broken UTF-8, no lone surrogates. Of a text that it does not accept it
// says nothing: whoever wants to know whether it is right after all, or what is wrong
// with it, asks jsontext. That keeps one decoder in charge of what is refused and how
// it is worded, while the text of a normal client is looked at once, without allocating.
//
// Beyond what jsontext refuses it accepts no NUL in a string and no number that an
// engine might not store, since its callers would have to look for them in any case.
//
// [jsontext]: https://pkg.go.dev/github.com/go-json-experiment/json/jsontext
package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const (
	// maxNames is how many names the objects that are open at one place may have: each is
	// compared with all before it in its own.
	maxNames = 64
	// maxDigits and maxMantissa keep a number far within the range of float64, without
	// and with an exponent of two digits.
	maxDigits   = 300
	maxMantissa = 100
)

// Scanner is a place in a text. The zero value is at the beginning of no text; it is
// used again after Reset. Not for concurrent use.
type Scanner struct {
	text []byte
	at   int
	// names of the objects that are open, one after another. Places in text, in an array of
	// the scanner's own: slices of text would send each scanner to the heap.
	names [maxNames]span
	named int
	// spaced tells whether white space was passed over since it was last set to false.
	spaced bool
}

// span is a part of a text.
type span struct{ begin, end int }

// Reset puts the scanner at the beginning of a text, which must not change while it is
// scanned.
func (s *Scanner) Reset(text []byte) {
	s.text, s.at, s.named = text, 0, 0
}

// Plain tells whether a text is certainly one JSON value whose arrays and objects nest
// no deeper than depth.
func Plain(text []byte, depth int) bool {
	s := Scanner{text: text}
	s.Space()
	return s.value(depth) && s.End()
}

// Space passes over white space.
func (s *Scanner) Space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
			s.spaced = true
		default:
			return
		}
	}
}

// Byte takes one byte, if it is this.
func (s *Scanner) Byte(b byte) bool {
	if s.at < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

// Null takes the literal null, if it is that.
func (s *Scanner) Null() bool { return s.literal("null") }

func (s *Scanner) literal(word string) bool {
	if len(s.text)-s.at >= len(word) && string(s.text[s.at:s.at+len(word)]) == word {
		s.at += len(word)
		return true
	}
	return false
}

// End passes over white space and tells whether nothing else is left.
func (s *Scanner) End() bool {
	s.Space()
	return s.at == len(s.text)
}

// String takes a string and returns it in its quotes, and whether it has escapes.
func (s *Scanner) String() (quoted []byte, escaped, ok bool) {
	begin, ascii := s.at, true
	if !s.Byte('"') {
		return nil, false, false
	}
	for {
		s.at += plainPrefix(s.text[s.at:])
		if s.at >= len(s.text) {
			return nil, false, false
		}
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			quoted = s.text[begin:s.at]
			return quoted, escaped, ascii || utf8.Valid(quoted)
		case c == '\\':
			escaped = true
			if !s.escape() {
				return nil, false, false
			}
		case c < ' ':
			return nil, false, false
		case c >= utf8.RuneSelf:
			ascii = false
			for s.at < len(s.text) && s.text[s.at] >= utf8.RuneSelf {
				s.at++
			}
		default:
			s.at++
		}
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainPrefix is how many bytes stand before the first that is a quote, a backslash, a
// control character or not ASCII, or before the last seven if there is none. Eight bytes
// are looked at together; see "Determine if a word has a byte less than n" in
// Anderson's Bit Twiddling Hacks, whose lowest hit is exact.
func plainPrefix(text []byte) int {
	n := 0
	for len(text)-n >= 8 {
		w := binary.LittleEndian.Uint64(text[n:])
		quote, backslash := w^(ones*'"'), w^(ones*'\\')
		hits := ((w-ones*' ')&^w | (quote-ones)&^quote | (backslash-ones)&^backslash | w) & highs
		if hits != 0 {
			return n + bits.TrailingZeros64(hits)/8
		}
		n += 8
	}
	return n
}

// escape takes an escape sequence, or two that are a surrogate pair.
func (s *Scanner) escape() bool {
	if s.at+1 >= len(s.text) {
		return false
	}
	s.at += 2
	switch s.text[s.at-1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
	default:
		return false
	}
	unit, ok := s.hex()
	switch {
	case !ok, unit == 0:
		return false
	case unit < 0xd800 || unit > 0xdfff:
		return true
	case unit > 0xdbff || !s.literal(`\u`):
		return false
	}
	unit, ok = s.hex()
	return ok && unit >= 0xdc00 && unit <= 0xdfff
}

// hex takes four hexadecimal digits.
func (s *Scanner) hex() (unit uint16, ok bool) {
	if len(s.text)-s.at < 4 {
		return 0, false
	}
	for _, c := range s.text[s.at : s.at+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		unit = unit<<4 | uint16(c)
	}
	s.at += 4
	return unit, true
}

// Object takes an object that nests, itself counted, no deeper than depth. It returns
// its text and whether white space stands between its tokens.
func (s *Scanner) Object(depth int) (text []byte, spaced, ok bool) {
	begin := s.at
	s.spaced = false
	if begin >= len(s.text) || s.text[begin] != '{' || !s.value(depth) {
		return nil, false, false
	}
	return s.text[begin:s.at], s.spaced, true
}

func (s *Scanner) value(depth int) bool {
	if s.at >= len(s.text) {
		return false
	}
	switch s.text[s.at] {
	case '"':
		_, _, ok := s.String()
		return ok
	case '{':
		return depth > 0 && s.object(depth-1)
	case '[':
		return depth > 0 && s.array(depth-1)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *Scanner) object(depth int) bool {
	s.at++
	s.Space()
	if s.Byte('}') {
		return true
	}
	first := s.named
	for {
		begin := s.at
		name, escaped, ok := s.String()
		if !ok || escaped || s.named >= maxNames {
			return false
		}
		for _, other := range s.names[first:s.named] {
			if bytes.Equal(name, s.text[other.begin:other.end]) {
				return false
			}
		}
		s.names[s.named] = span{begin, s.at}
		s.named++
		s.Space()
		if !s.Byte(':') {
			return false
		}
		s.Space()
		if !s.value(depth) {
			return false
		}
		s.Space()
		if s.Byte('}') {
			s.named = first
			return true
		}
		if !s.Byte(',') {
			return false
		}
		s.Space()
	}
}

func (s *Scanner) array(depth int) bool {
	s.at++
	s.Space()
	if s.Byte(']') {
		return true
	}
	for {
		if !s.value(depth) {
			return false
		}
		s.Space()
		if s.Byte(']') {
			return true
		}
		if !s.Byte(',') {
			return false
		}
		s.Space()
	}
}

func (s *Scanner) number() bool {
	begin := s.at
	s.Byte('-')
	if whole := s.at; s.digits() == 0 || s.text[whole] == '0' && s.at > whole+1 {
		return false
	}
	if s.Byte('.') && s.digits() == 0 {
		return false
	}
	if mantissa := s.at - begin; s.Byte('e') || s.Byte('E') {
		if !s.Byte('-') {
			s.Byte('+')
		}
		n := s.digits()
		return n >= 1 && n <= 2 && mantissa <= maxMantissa
	}
	return s.at-begin <= maxDigits
}

// digits takes digits and returns how many.
func (s *Scanner) digits() int {
	begin := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - begin
}

// AppendCompact appends an accepted text without the white space between its tokens.
func AppendCompact(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			end := i + 1
			for text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			dst = append(dst, text[i:end+1]...)
			i = end + 1
		default:
			dst = append(dst, text[i])
			i++
		}
	}
	return dst
}
