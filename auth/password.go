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
	MemoryKiB uint32
	// Time is the number of passes.
	Time uint32
	// Threads is the number of lanes.
	Threads uint8
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
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, says its documentation
	key := argon2.IDKey([]byte(password), salt, a.Time, a.MemoryKiB, a.Threads, keyBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.MemoryKiB, a.Time, a.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// errHashUnknown says that a stored hash is of no known algorithm, or that its
// parameters are out of bounds.
var errHashUnknown = errors.New("the stored hash is of no known algorithm")

// verify tells whether a password belongs to a stored hash, and whether the hash
// should be made anew: it is of another algorithm or has other parameters. bcrypt
// hashes come from databases of the original HAL9.
func (a Argon2) verify(stored, password string) (matches, rehash bool, err error) {
	if strings.HasPrefix(stored, "$2") {
		// bcrypt never looked at more than 72 bytes, and the original handed it all
		// of them; Go's refuses to hash more, but compares the first 72.
		err := bcrypt.CompareHashAndPassword([]byte(stored), []byte(password[:min(len(password), 72)]))
		switch {
		case err == nil:
			return true, true, nil
		case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
			return false, false, nil
		default:
			return false, false, errHashUnknown
		}
	}
	p, salt, want, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	got := argon2.IDKey([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, uint32(len(want))) //nolint:gosec // bounded by parsePHC
	return subtle.ConstantTimeCompare(got, want) == 1, p != a, nil
}

// The largest parameters of a stored hash that are computed: a row of the database
// must not make the server take all memory.
const (
	maxArgonMemoryKiB = 1 << 20
	maxArgonTime      = 64
	maxArgonThreads   = 64
	maxArgonKey       = 128
)

// parsePHC reads a PHC string of Argon2id.
func parsePHC(s string) (p Argon2, salt, key []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, nil, nil, errHashUnknown
	}
	var version int
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
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
