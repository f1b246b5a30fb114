package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxBulkLine bounds one line: the largest content and metadata with every
	// character escaped fit into it.
	maxBulkLine = 8 << 20
	// maxBulkBlank bounds blank lines that follow each other: compressed they cost their
	// sender nothing.
	maxBulkBlank = 1 << 20
	// bulkLook is after how many lines the reader looks whether it is still wanted.
	bulkLook = 1024
	// maxZstdWindow is what RFC 9659 lets senders use over HTTP.
	maxZstdWindow = 8 << 20
	// bulkReadSize is how much is asked of the decoder at once.
	bulkReadSize = 256 << 10
)

var (
	errLineTooLong  = fmt.Errorf("a line is longer than %d MiB", maxBulkLine>>20)
	errBlankLines   = fmt.Errorf("there are more than %d MiB of blank lines one after another", maxBulkBlank>>20)
	errBulkStopping = errors.New("the server is shutting down")
)

// patientBody is a request's body whose client may take any time over the whole of
// it, but not over one piece. It can be stopped from another goroutine.
type patientBody struct {
	body    io.Reader
	control *http.ResponseController
	idle    time.Duration
	least   int64 // bytes a second that keep its place when others come

	mu      sync.Mutex
	stopped error // why it was stopped, nil if it was not
	failed  error // what the transfer, not the decoder, failed with
	// since is when the present wait for the client began, zero without one; waited and
	// brought are how long the waits of the present window took, and what they brought.
	since   time.Time
	waited  time.Duration
	brought int64
}

// Read waits for the next piece, no longer than idle.
func (b *patientBody) Read(p []byte) (int, error) {
	if err := b.arm(); err != nil {
		return 0, err
	}
	n, err := b.body.Read(p)
	b.got(n, time.Now())
	if err != nil && !errors.Is(err, io.EOF) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.stopped != nil {
			err = b.stopped
		}
		b.failed = err
	}
	return n, err
}

func (b *patientBody) arm() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped != nil {
		b.failed = b.stopped
		return b.stopped
	}
	now := time.Now()
	b.waiting(now)
	if err := b.control.SetReadDeadline(now.Add(b.idle)); err != nil {
		b.failed = err
		return fmt.Errorf("bound the wait for the client: %w", err)
	}
	return nil
}

// stop ends a Read that waits, and lets no other begin.
func (b *patientBody) stop() { b.end(errBulkStopping) }

// end is stop with a reason.
func (b *patientBody) end(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped == nil {
		b.stopped = reason
	}
	_ = b.control.SetReadDeadline(time.Now()) // a connection without deadlines ends by itself
}

// decodeBody undoes the Content-Encoding; false says that it is none that is known.
func decodeBody(encoding string, body io.Reader) (r io.Reader, closeBody func(), known bool, err error) {
	nothing := func() {}
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, nothing, true, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, nothing, true, err //nolint:wrapcheck // told apart by whoever reads
		}
		return z, func() { _ = z.Close() }, true, nil
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nothing, true, err //nolint:wrapcheck // told apart by whoever reads
		}
		return z, z.Close, true, nil
	default:
		return nil, nothing, false, nil
	}
}

// lineReader cuts a stream into lines and knows where each begins. It holds no more
// than the longest line and one read.
type lineReader struct {
	from io.Reader
	buf  []byte
	next int   // where in buf the next line begins
	seen int   // up to where buf was searched for the end of it
	err  error // what ended the stream

	offset int64 // bytes of the stream before the next line
	line   int64 // the number of the next line, from 1
}

func newLineReader(from io.Reader) *lineReader {
	return &lineReader{from: from, line: 1}
}

// read returns the next line without its end; it is valid until the next call. At the
// end of the stream the error is io.EOF. A last line that no line feed ends counts
// as a line only if the stream ended well: one that broke off may have lost a part.
func (r *lineReader) read() ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.seen:], '\n'); i >= 0 {
			return r.cut(r.seen+i, 1), nil
		}
		r.seen = len(r.buf)
		if r.err != nil {
			if errors.Is(r.err, io.EOF) && r.seen > r.next {
				return r.cut(r.seen, 0), nil
			}
			return nil, r.err
		}
		if r.seen-r.next > maxBulkLine {
			return nil, errLineTooLong
		}
		r.fill()
	}
}

// cut takes the line that ends before end, and the end mark of that length.
func (r *lineReader) cut(end, mark int) []byte {
	line := r.buf[r.next:end]
	r.next, r.seen = end+mark, end+mark
	r.offset += int64(len(line) + mark)
	r.line++
	return line
}

// fill reads more, after what was cut has made room.
func (r *lineReader) fill() {
	if r.next > 0 {
		rest := copy(r.buf, r.buf[r.next:])
		r.buf, r.seen, r.next = r.buf[:rest], r.seen-r.next, 0
	}
	if cap(r.buf)-len(r.buf) < bulkReadSize {
		grown := make([]byte, len(r.buf), max(2*len(r.buf), 2*bulkReadSize))
		copy(grown, r.buf)
		r.buf = grown
	}
	n, err := r.from.Read(r.buf[len(r.buf) : len(r.buf)+bulkReadSize])
	r.buf, r.err = r.buf[:len(r.buf)+n], err
}
