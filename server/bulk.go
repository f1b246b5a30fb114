package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/zstd"

	"github.com/hal9-ai/hal9/model"
)

const (
	bulkPath = "/api/v1/signals/bulk"
	// bulkChunkBytes commits a chunk before it has all its rows if they are long.
	bulkChunkBytes = 4 << 20
	// bulkEarly is how many rows a chunk has at the least when nothing else is to be
	// committed; it is enough for COPY to pay.
	bulkEarly = 1024
	// bulkAnswerTimeout is how long a client may take over the answer.
	bulkAnswerTimeout = 30 * time.Second
	typeNDJSON        = "application/x-ndjson"
)

// BulkResult tells what became of the lines of a stream up to the resume point. Its
// fields are those of the answer.
type BulkResult struct {
	Received   int64           `json:"received" doc:"Signals up to the resume point: the sum of the next three."`
	Inserted   int64           `json:"inserted"`
	Duplicates int64           `json:"duplicates" doc:"Stored before with the same content, or earlier in the stream: a success that wrote nothing."`
	Failed     int64           `json:"failed"`
	Errors     []BulkLineError `json:"errors" nullable:"false" doc:"Why lines failed, the first 100 faults."`
	Complete   bool            `json:"complete" doc:"Whether the stream was read to its end. If not, send the rest from the resume point."`
	Resume     BulkPosition    `json:"resume" doc:"Everything before it is decided: stored, or failed for good."`
}

// BulkLineError is a fault of one line.
type BulkLineError struct {
	Line    int64  `json:"line" doc:"The number of the line, from 1." example:"3"`
	Field   string `json:"field" doc:"The field at fault; empty if it is the line as a whole." example:"layer_to"`
	Message string `json:"message" example:"unknown layer; give L1, L2, L3 or L4"`
}

// BulkPosition is a place in a stream.
type BulkPosition struct {
	Offset int64 `json:"offset" doc:"Bytes of the stream, after undoing Content-Encoding."`
	Line   int64 `json:"line" doc:"The number of the line that begins there, from 1."`
}

// stoppedStreamError is a stream that stopped before its end: a problem that tells what was
// decided until then.
type stoppedStreamError struct {
	problem

	Data BulkResult `json:"data"`
}

// signalBulk takes a stream of signals. It is a handler of its own beside the others,
// since they have the whole body in memory before they begin.
func (s *Server) signalBulk(c *gin.Context) {
	if p := guardBulk(c.Request); p != nil {
		p.abort(c)
		return
	}
	control := http.NewResponseController(c.Writer)
	body := &patientBody{body: c.Request.Body, control: control, idle: s.cfg.BulkIdleTimeout, least: s.cfg.BulkMinRate}
	if refusal := s.bulkPlaces.take(c.Request.Context(), body); refusal != nil {
		s.countError("unavailable")
		refusal.abort(c)
		return
	}
	defer s.bulkPlaces.leave(body)
	s.bulkActive.Inc()
	defer s.bulkActive.Dec()

	// The deadlines of ordinary requests do not hold: each read has its own, and
	// the answer comes when the stream is over.
	if err := control.SetWriteDeadline(time.Time{}); err != nil {
		s.fail(c.Request.Context(), fmt.Errorf("lift the deadline: %w", err)).abort(c)
		return
	}
	defer context.AfterFunc(s.stopping, body.stop)()

	result, err := s.readBulk(c.Request.Context(), c.GetHeader("Content-Encoding"), body)
	if err := control.SetWriteDeadline(time.Now().Add(bulkAnswerTimeout)); err != nil {
		s.fail(c.Request.Context(), fmt.Errorf("bound the answer: %w", err)).abort(c)
		return
	}
	s.answerBulk(c, result, err)
}

// guardBulk refuses what is wrong with a request before its first line.
func guardBulk(r *http.Request) *problem {
	for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) { // of several the same each time
		return invalidField("query."+name, unknownQuery(nil))
	}
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case typeNDJSON, "application/ndjson":
	default:
		return newProblem(http.StatusUnsupportedMediaType, "a stream's Content-Type must be application/x-ndjson; one signal or an array goes to /api/v1/signals")
	}
	if _, _, known, _ := decodeBody(r.Header.Get("Content-Encoding"), http.NoBody); !known {
		return newProblem(http.StatusUnsupportedMediaType, "the stream's Content-Encoding must be gzip or zstd, or none").
			with("Accept-Encoding", "gzip, zstd")
	}
	return nil
}

// readBulk commits a stream chunk by chunk: while one is committed the next is
// decoded. A client that sends faster than that waits.
func (s *Server) readBulk(ctx context.Context, encoding string, body *patientBody) (BulkResult, error) {
	decoded, closeDecoder, _, err := decodeBody(encoding, body)
	if err != nil {
		return newBulkResult(), s.bulkReadError(body, err)
	}
	defer closeDecoder()
	w := s.newBulkWriter()
	w.stop, w.admitted = body.stop, s.now()
	w.renew = func(ctx context.Context) error { return s.renew(ctx, routeKey{http.MethodPost, bulkPath}) }
	w.store(ctx, newLineReader(decoded))
	if w.err == nil && w.readErr != nil {
		return w.result, s.bulkReadError(body, w.readErr)
	}
	return w.result, w.err
}

// decodeBulk reads lines into chunks until the stream ends or failed says that there
// is no use. It closes chunks. A few bytes can unpack to more than the server should work
// on for nobody: it looks now and then whether somebody still wants the answer.
func (s *Server) decodeBulk(ctx context.Context, lines *lineReader, chunks chan<- *bulkChunk, failed <-chan struct{}) error {
	defer close(chunks)
	blank := int64(0) // bytes of blank lines since the last one that was not
	d := newLineDecoder(s.newSignalReader())
	chunk := newBulkChunk(s.cfg.BulkChunkRows)
	send := func() bool {
		chunk.end = BulkPosition{lines.offset, lines.line}
		select {
		case chunks <- chunk:
			chunk = newBulkChunk(s.cfg.BulkChunkRows)
			return true
		case <-failed:
			return false
		}
	}
	// offer is send to a writer that has nothing to do, as at the beginning.
	offer := func() {
		chunk.end = BulkPosition{lines.offset, lines.line}
		select {
		case chunks <- chunk:
			chunk = newBulkChunk(s.cfg.BulkChunkRows)
		default:
		}
	}
	for {
		number := lines.line
		if number%bulkLook == 0 {
			// Before the next line is read, which would count as decided and be lost.
			if err := s.unwanted(ctx); err != nil {
				_ = send() // what was read is decided; the error says the rest
				return err
			}
		}
		line, err := lines.read()
		if err != nil {
			// Lines that came whole count, however the stream ended.
			if lines.line > 1 && !send() || errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if isBlank(line) {
			if blank += int64(len(line)) + 1; blank > maxBulkBlank {
				_ = send()
				return errBlankLines
			}
			continue
		}
		blank = 0
		chunk.add(number, line, d)
		switch n := len(chunk.rows) + len(chunk.bad); {
		case n >= s.cfg.BulkChunkRows || chunk.bytes >= bulkChunkBytes:
			if !send() {
				return nil
			}
		case n%bulkEarly == 0:
			offer()
		}
	}
}

// unwanted tells why nobody waits for the rest of a stream any more, nil if somebody does.
func (s *Server) unwanted(ctx context.Context) error {
	switch {
	case s.stopping.Err() != nil:
		return errBulkStopping
	case ctx.Err() != nil:
		return context.Cause(ctx) //nolint:wrapcheck // told apart by bulkReadError
	default:
		return nil
	}
}

func isBlank(line []byte) bool {
	for _, b := range line {
		if b != ' ' && b != '\t' && b != '\r' {
			return false
		}
	}
	return true
}

// bulkReadError words what ended a stream early.
func (s *Server) bulkReadError(body *patientBody, err error) error {
	body.mu.Lock()
	defer body.mu.Unlock()
	var timeout net.Error
	switch transfer := body.failed; {
	case errors.Is(transfer, errBulkStopping), errors.Is(err, errBulkStopping):
		return newProblem(http.StatusServiceUnavailable, "the server is shutting down; send the rest to another one, or later").with("Retry-After", "5")
	case errors.Is(transfer, errBulkSlow), errors.Is(err, errBulkSlow):
		return newProblem(http.StatusRequestTimeout, fmt.Sprintf(
			"another stream needed the place: this one brought less than %d bytes a second, which is ingest.bulk_min_rate; send the rest later, in one piece", s.cfg.BulkMinRate)).with("Retry-After", "5")
	case errors.As(transfer, &timeout) && timeout.Timeout():
		return newProblem(http.StatusRequestTimeout, fmt.Sprintf("nothing came for %s, which is ingest.bulk_idle_timeout", s.cfg.BulkIdleTimeout))
	case transfer != nil:
		return newProblem(http.StatusBadRequest, "the stream broke off; send the rest")
	case errors.Is(err, context.Canceled):
		return err // nobody reads the answer
	case errors.Is(err, errBlankLines):
		return newProblem(http.StatusRequestEntityTooLarge, err.Error()+"; leave them out")
	case errors.Is(err, errLineTooLong):
		return newProblem(http.StatusRequestEntityTooLarge, err.Error()+"; one line holds one signal")
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return newProblem(http.StatusBadRequest, fmt.Sprintf("the zstd window is larger than %d MiB; compress without --long and --ultra", maxZstdWindow>>20))
	default:
		return newProblem(http.StatusBadRequest, "the compressed stream is damaged or ends too early")
	}
}

// answerBulk tells what became of the stream.
func (s *Server) answerBulk(c *gin.Context, result BulkResult, err error) {
	s.noteWrites(c.Request.Context(), result.Duplicates > 0)
	if err == nil {
		status := http.StatusOK
		if result.Failed > 0 {
			status = http.StatusMultiStatus
		}
		s.writeBulk(c, status, typeJSON, envelope[BulkResult]{Success: true, Data: result})
		return
	}
	p := s.fail(c.Request.Context(), err)
	maps.Copy(c.Writer.Header(), p.header)
	// What is left of the stream is not read, so that the connection is of no use.
	c.Header("Connection", "close")
	s.writeBulk(c, p.Status, typeProblem, stoppedStreamError{problem: *p, Data: result})
}

func (s *Server) writeBulk(c *gin.Context, status int, contentType string, v any) {
	body, err := marshalAnswer(v)
	if err != nil {
		s.fail(c.Request.Context(), err).abort(c)
		return
	}
	c.Data(status, contentType, body)
}

func newBulkResult() BulkResult {
	return BulkResult{Errors: []BulkLineError{}, Resume: BulkPosition{Line: 1}}
}

// bulkChunk is the part of a stream that is decided together.
type bulkChunk struct {
	rows  []model.SignalInsertParams
	lines []int64 // of the rows
	bad   []BulkLineError
	// badLines counts those that cannot be read; bad may have several faults of one,
	// or none once there are many.
	badLines int64
	bytes    int
	end      BulkPosition
}

func newBulkChunk(rows int) *bulkChunk {
	return &bulkChunk{rows: make([]model.SignalInsertParams, 0, rows), lines: make([]int64, 0, rows)}
}

func (k *bulkChunk) add(number int64, line []byte, d *lineDecoder) {
	row, faults := d.decode(line)
	k.bytes += len(line)
	if len(faults) == 0 {
		k.rows, k.lines = append(k.rows, row), append(k.lines, number)
		return
	}
	k.badLines++
	for _, f := range faults {
		if len(k.bad) < maxRowFaults {
			f = f.clipped()
			k.bad = append(k.bad, BulkLineError{number, bulkField(f.Location), f.Message})
		}
	}
}

// bulkField is a place below the line instead of the body.
func bulkField(location string) string {
	return strings.TrimPrefix(strings.TrimPrefix(location, "body"), ".")
}
