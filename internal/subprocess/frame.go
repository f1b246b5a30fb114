package subprocess

import (
	"encoding/binary"
	"fmt"
	"io"
)

// maxFrame bounds what one frame carries, in bytes.
const maxFrame = 64 << 10

// headerBytes are the length of the payload, 4 bytes, and the number of the request, 8,
// big endian.
const headerBytes = 12

// writeFrame writes one frame, at once.
func writeFrame(w io.Writer, id uint64, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("a frame of %d bytes is too long: at most %d", len(payload), maxFrame)
	}
	frame := make([]byte, headerBytes, headerBytes+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(len(payload))) //nolint:gosec // bounded above
	binary.BigEndian.PutUint64(frame[4:], id)
	if _, err := w.Write(append(frame, payload...)); err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	return nil
}

// readFrame reads one frame; io.EOF says that there are no more.
func readFrame(r io.Reader) (id uint64, payload []byte, err error) {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err //nolint:wrapcheck // io.EOF as it is
	}
	length := binary.BigEndian.Uint32(header[:])
	if length > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes is too long: at most %d", length, maxFrame)
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, fmt.Errorf("read a frame: %w", err)
	}
	return binary.BigEndian.Uint64(header[4:]), payload, nil
}
