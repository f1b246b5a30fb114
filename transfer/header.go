package transfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	headerSize = 100
	magic      = "SQLite format 3\x00"
)

// header is what the first bytes of a file tell (https://sqlite.org/fileformat2.html).
type header struct {
	bytes    []byte // fewer than headerSize in a shorter file
	pageSize int64
	pages    int64 // 0 when the writer did not keep it up to date
	wal      bool  // write-ahead logging is on
}

func readHeader(r io.Reader) (header, error) {
	b := make([]byte, headerSize)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return header{}, fmt.Errorf("read the first bytes: %w", err)
	}
	h := header{bytes: b[:n]}
	if n < headerSize {
		return h, nil
	}
	h.pageSize = int64(binary.BigEndian.Uint16(b[16:]))
	if h.pageSize == 1 { // 65,536 does not fit
		h.pageSize = 1 << 16
	}
	h.wal = b[18] == 2 || b[19] == 2
	if bytes.Equal(b[24:28], b[92:96]) {
		h.pages = int64(binary.BigEndian.Uint32(b[28:]))
	}
	return h, nil
}

// check says what a file is that cannot be a whole database. A log beside it may
// hold pages that the file itself lacks.
func (h header) check(path string, size int64, log bool) error {
	wrong := func(problem, mend string) error {
		return &SourceError{Path: path, Problem: problem, Mend: mend}
	}
	start := h.bytes
	switch {
	case !bytes.HasPrefix(start, []byte(magic)) && !bytes.HasPrefix([]byte(magic), start):
		return wrong("is no SQLite database"+likeness(start), "name the database file that HAL9 wrote")
	case len(start) < headerSize:
		return wrong(fmt.Sprintf("is truncated: %d bytes are left of it, less than a header", size), mendDamaged)
	case h.pageSize < 512 || h.pageSize&(h.pageSize-1) != 0:
		return wrong("is damaged: its header names an impossible page size", mendDamaged)
	case log:
		return nil
	case size < h.pages*h.pageSize:
		return wrong(fmt.Sprintf("is truncated: %d bytes of %d are left", size, h.pages*h.pageSize), mendDamaged)
	case size%h.pageSize != 0:
		return wrong(fmt.Sprintf("is truncated: its %d bytes are no whole number of pages of %d", size, h.pageSize), mendDamaged)
	}
	return nil
}

// likeness says what a file looks like that somebody took for a database.
func likeness(start []byte) string {
	text := bytes.ToUpper(bytes.TrimLeft(start, " \t\r\n"))
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return " but compressed by gzip; unpack it first"
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return " but compressed by zstd; unpack it first"
	case bytes.HasPrefix(text, []byte("PRAGMA")), bytes.HasPrefix(text, []byte("BEGIN")), bytes.HasPrefix(text, []byte("CREATE")):
		return " but looks like an SQL dump; make a database of it with sqlite3 first"
	default:
		return ""
	}
}
