package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// Tokens are opaque: 160 random bits behind a prefix by which scanners of leaked
// secrets know them, and a checksum by which a mistyped one is refused without a
// look into the database. Only their SHA-256 is stored: they are random, so that a
// slow hash would add nothing.
const (
	prefixAccess  = "hal9_at_"
	prefixRefresh = "hal9_rt_"
	prefixKey     = "hal9_key_"
)

const (
	tokenBytes    = 20
	checksumBytes = 4
	tokenHex      = 2 * (tokenBytes + checksumBytes)
)

// newToken makes a token of the kind that the prefix names.
func newToken(prefix string) string {
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails, says its documentation
	return prefix + withChecksum(prefix, raw[:])
}

func withChecksum(prefix string, raw []byte) string {
	body := hex.EncodeToString(raw)
	sum := crc32.ChecksumIEEE([]byte(prefix + body))
	return body + hex.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// wellFormed tells whether a token with this prefix can be one of ours.
func wellFormed(prefix, token string) bool {
	body, ok := strings.CutPrefix(token, prefix)
	if !ok || len(body) != tokenHex {
		return false
	}
	raw, err := hex.DecodeString(body[:2*tokenBytes])
	return err == nil && withChecksum(prefix, raw) == body
}

// hashToken is what is stored of a token, and what the original HAL9 stored of its
// API keys: the SHA-256 of its text, in 64 hexadecimal digits.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
