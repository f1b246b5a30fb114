package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/hal9-ai/hal9/model"
)

// The bounds of a password. Length in bytes is bounded so that hashing one costs no
// more than hashing another.
const (
	minPassword = 8    // characters
	maxPassword = 1024 // bytes
)

// Argon2 are the parameters of Argon2id (RFC 9106).
type Argon2 struct {
	// MemoryKiB is the memory of one hash. 19 MiB by default, with two passes: the
	// first choice of OWASP's password storage cheat sheet.
	MemoryKiB uint32 `json:"memory_kib"`
	// Time is the number of passes.
	Time uint32 `json:"time"`
	// Threads is the number of lanes.
	Threads uint8 `json:"threads"`
}

// WithDefaults returns a copy in which zero fields hold their defaults.
func (a Argon2) WithDefaults() Argon2 {
	if a.MemoryKiB == 0 {
		a.MemoryKiB = 19 << 10
	}
	if a.Time == 0 {
		a.Time = 2
	}
	if a.Threads == 0 {
		a.Threads = 1
	}
	return a
}

const (
	saltBytes = 16
	keyBytes  = 32
)

// hash makes the PHC string of a password, with a salt of its own.
func (a Argon2) hash(password string) string {
	salt := randomBytes(saltBytes)
	return a.phc(salt, a.key(password, salt, keyBytes))
}

// decoy is a hash that costs what others cost and that no password belongs to.
func (a Argon2) decoy() string { return a.phc(randomBytes(saltBytes), randomBytes(keyBytes)) }

func (a Argon2) phc(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.MemoryKiB, a.Time, a.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// key hashes the password in Unicode's composed form (NFC): the same password typed
// on another system may come in decomposed letters.
func (a Argon2) key(password string, salt []byte, length uint32) []byte {
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, a.Time, a.MemoryKiB, a.Threads, length)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, says its documentation
	return b
}

// The algorithms of stored hashes.
const (
	algorithmNone   = ""
	algorithmArgon2 = "argon2id"
	algorithmBcrypt = "bcrypt"
)

// maxBcryptCost bounds what one row of the database can cost: 16 takes seconds.
const maxBcryptCost = 16

// algorithmOf tells how a stored hash is verified; algorithmNone says that no password
// can belong to it.
func algorithmOf(stored string) string {
	if strings.HasPrefix(stored, "$2") {
		if cost, err := bcrypt.Cost([]byte(stored)); err != nil || cost > maxBcryptCost {
			return algorithmNone
		}
		return algorithmBcrypt
	}
	if _, _, _, err := parsePHC(stored); err != nil {
		return algorithmNone
	}
	return algorithmArgon2
}

// verifyArgon2 tells whether a password belongs to a PHC string, and whether the hash
// should be made anew because its parameters are others.
func (a Argon2) verifyArgon2(stored, password string) (matches, old bool) {
	p, salt, want, err := parsePHC(stored)
	if err != nil {
		return false, false
	}
	got := p.key(password, salt, uint32(len(want))) //nolint:gosec // bounded by parsePHC
	return subtle.ConstantTimeCompare(got, want) == 1, p != a
}

// verifyBcrypt verifies a hash of the original HAL9. bcrypt never looked at more than
// 72 bytes, and the original handed it all of them.
func verifyBcrypt(stored, password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(stored), []byte(password[:min(len(password), 72)])) == nil
}

// decoyBcrypt is a bcrypt hash of the given cost that no password belongs to: its
// digest is of random bytes.
func decoyBcrypt(cost int) string {
	alphabet := base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)
	return fmt.Sprintf("$2b$%02d$%s%s", cost, alphabet.EncodeToString(randomBytes(16)), alphabet.EncodeToString(randomBytes(23)))
}

// The largest parameters of a stored hash that are computed: a row of the database
// must not make the server take all memory.
const (
	maxArgonMemoryKiB = 256 << 10
	maxArgonTime      = 64
	maxArgonThreads   = 64
	maxArgonKey       = 128
)

// errHashUnknown says that a stored hash is no PHC string of Argon2id, or that its
// parameters are out of bounds.
var errHashUnknown = errors.New("the stored hash is of no known algorithm")

// parsePHC reads a PHC string of Argon2id.
func parsePHC(s string) (p Argon2, salt, key []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errHashUnknown
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Time, &p.Threads); err != nil {
		return p, nil, nil, errHashUnknown
	}
	if p.MemoryKiB > maxArgonMemoryKiB || p.Time < 1 || p.Time > maxArgonTime || p.Threads < 1 || p.Threads > maxArgonThreads {
		return p, nil, nil, errHashUnknown
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return p, nil, nil, errHashUnknown
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(key) < 16 || len(key) > maxArgonKey {
		return p, nil, nil, errHashUnknown
	}
	return p, salt, key, nil
}

// checkPassword says what is wrong with a new password.
func checkPassword(field, password string) error {
	switch {
	case !utf8.ValidString(password):
		return invalid(field, "must be valid UTF-8")
	case strings.IndexByte(password, 0) >= 0:
		return invalid(field, "must not contain the NUL character")
	case utf8.RuneCountInString(password) < minPassword:
		return invalid(field, fmt.Sprintf("must have at least %d characters", minPassword))
	case len(password) > maxPassword:
		return invalid(field, fmt.Sprintf("must not be longer than %d bytes", maxPassword))
	default:
		return nil
	}
}

func invalid(field, reason string) error {
	return &model.Error{Kind: model.ErrInvalid, Entity: "user", Field: field, Reason: reason}
}
