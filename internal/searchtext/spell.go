package searchtext

import (
	"crypto/sha256"

	"github.com/kljensen/snowball/english"
)

const (
	// maxTokenBytes bounds the spelling of a token. PostgreSQL refuses lexemes
	// over 2,046 bytes.
	maxTokenBytes = 128

	// maxStemBytes is the longest token that may be an English word.
	maxStemBytes = 64

	// digestBytes of SHA-256 stand for a token that is too long.
	digestBytes = 16
)

// spell stems a folded token, if it is of ASCII letters, and writes it as
// [a-z][a-z0-9]*. Different tokens are spelt differently. The empty token
// stays empty.
func spell(token string) string {
	letters, ascii := true, true
	for i := range len(token) {
		c := token[i]
		letter := 'a' <= c && c <= 'z'
		letters = letters && letter
		ascii = ascii && (letter || isDigit(c))
	}
	if letters && len(token) <= maxStemBytes {
		// Stop words are stemmed like others: "having" and "have" are one word.
		token = english.Stem(token, true)
	}

	spelt := token
	switch {
	case token == "":
	case !ascii:
		spelt = "xu" + base32hex([]byte(token))
	case isDigit(token[0]):
		spelt = "xd" + token
	case token[0] == 'x':
		spelt = "xx" + token
	}
	if len(spelt) <= maxTokenBytes {
		return spelt
	}
	digest := sha256.Sum256([]byte(token))
	return "xh" + base32hex(digest[:digestBytes])
}

// base32hex is RFC 4648's encoding of that name without padding, in lower case.
func base32hex(b []byte) string {
	const alphabet, width = "0123456789abcdefghijklmnopqrstuv", 5

	out := make([]byte, 0, (len(b)*8+width-1)/width)
	pending, bits := uint(0), 0
	for _, c := range b {
		pending = pending<<8 | uint(c)
		for bits += 8; bits >= width; {
			bits -= width
			out = append(out, alphabet[pending>>bits&(1<<width-1)])
		}
	}
	if bits > 0 {
		out = append(out, alphabet[pending<<(width-bits)&(1<<width-1)])
	}
	return string(out)
}
