package server

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A cursor names the last row of a page. Clients hand it back as it is: it is the
// key of that row behind two bytes, the version of the format and the list that it
// belongs to, so that neither an old cursor nor another list's is misread.
const cursorVersion = 1

// The lists that have cursors.
const (
	cursorNeurons  = 'n'
	cursorSignals  = 's'
	cursorMemories = 'm'
	cursorUsers    = 'u'
	cursorAudit    = 'a'
)

var errCursor = errors.New("broken cursor")

// encodeTextCursor is the cursor of a list in order of a text.
func encodeTextCursor(list byte, key string) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{cursorVersion, list}, key...))
}

func decodeTextCursor(list byte, cursor string) (string, error) {
	key, err := openCursor(list, cursor)
	if err != nil || len(key) == 0 || !utf8.Valid(key) || bytes.IndexByte(key, 0) >= 0 {
		return "", brokenCursor()
	}
	return string(key), nil
}

// encodeTimeCursor is the cursor of a list in order of a moment and an id.
func encodeTimeCursor(list byte, moment time.Time, id uuid.UUID) string {
	b := append(make([]byte, 0, timeCursorSize), cursorVersion, list)
	b = binary.BigEndian.AppendUint64(b, uint64(moment.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, id[:]...))
}

const timeCursorSize = 2 + 8 + 16

func decodeTimeCursor(list byte, cursor string) (time.Time, uuid.UUID, error) {
	key, err := openCursor(list, cursor)
	if err != nil || len(key) != timeCursorSize-2 {
		return time.Time{}, uuid.UUID{}, brokenCursor()
	}
	moment := time.UnixMicro(int64(binary.BigEndian.Uint64(key))).UTC() //nolint:gosec // written the same way
	if y := moment.Year(); y < 1 || y > 9999 {
		return time.Time{}, uuid.UUID{}, brokenCursor()
	}
	return moment, uuid.UUID(key[8:]), nil
}

func openCursor(list byte, cursor string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || strings.ContainsAny(cursor, "\r\n") || // line ends, which the decoder skips
		len(b) < 2 || b[0] != cursorVersion || b[1] != list {
		return nil, errCursor
	}
	return b[2:], nil
}

func brokenCursor() *problem {
	return invalidField("query.cursor", "is no cursor of this list; give the next_cursor of its last page, or leave it out for the first page")
}
