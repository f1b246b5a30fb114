package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// LoadSignals stores a stream of signals, one JSON object a line, plain or compressed by
// gzip or zstd, as POST /signals/bulk does, in memory that does not grow with it. The
// position at which to begin counts bytes and lines after undoing the compression: what
// lies before it is passed over. After each chunk committed is told what became of the
// lines until then; it may be nil.
//
// The result holds in any case: an error tells why the stream was not read to its end.
// When the context ends, the chunk under way is still committed.
func (s *Server) LoadSignals(ctx context.Context, stream io.Reader, from BulkPosition, committed func(BulkResult)) (BulkResult, error) {
	w := s.newBulkWriter()
	w.committed = committed
	peeked := bufio.NewReader(&cancellableReader{ctx, stream})
	decoded, closeDecoder, _, err := decodeBody(compressionOf(peeked), peeked)
	if err != nil {
		return w.result, fmt.Errorf("undo the compression: %w", err)
	}
	defer closeDecoder()
	if _, err := io.CopyN(io.Discard, decoded, from.Offset); err != nil {
		return w.result, fmt.Errorf("pass over the first %d bytes: %w", from.Offset, err)
	}
	lines := newLineReader(decoded)
	lines.offset, lines.line = from.Offset, max(from.Line, 1)
	w.result.Resume = BulkPosition{lines.offset, lines.line}
	w.store(ctx, lines)
	switch {
	case w.err != nil:
		return w.result, w.err
	case errors.Is(w.readErr, errLineTooLong):
		return w.result, fmt.Errorf("line %d: %w", lines.line, w.readErr)
	case w.readErr != nil:
		return w.result, fmt.Errorf("read the stream: %w", w.readErr)
	default:
		return w.result, nil
	}
}

// compressionOf tells a stream's compression by its first bytes, in the words of
// Content-Encoding.
func compressionOf(stream *bufio.Reader) string {
	magic, err := stream.Peek(4)
	switch {
	case err != nil && len(magic) < 2:
		return ""
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	default:
		return ""
	}
}

// cancellableReader ends between two pieces when the context does.
type cancellableReader struct {
	ctx  context.Context //nolint:containedctx // a reader takes none
	from io.Reader
}

// Read reads the next piece.
func (r *cancellableReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx) //nolint:wrapcheck // LoadSignals wraps it
	}
	return r.from.Read(p) //nolint:wrapcheck // io.EOF must stay what it is
}
