package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// bulkWriter commits the chunks of one stream in their order.
type bulkWriter struct {
	server *Server
	result BulkResult
	// failed is closed, and err set, when a chunk could not be tried.
	failed chan struct{}
	err    error
	// readErr is what ended the reading of the stream early.
	readErr error
	// committed, if it is not nil, is told after each chunk.
	committed func(BulkResult)
	// stop, if it is not nil, ends the wait for the client: the answer to a failure must not.
	stop func()
	// renew, if it is not nil, tells whether the sender may go on; admitted is when it
	// was last known that he may.
	renew    func(context.Context) error
	admitted time.Time
}

func (s *Server) newBulkWriter() *bulkWriter {
	return &bulkWriter{server: s, result: newBulkResult(), failed: make(chan struct{})}
}

// store commits a stream to its end, or until err or readErr says why not.
func (w *bulkWriter) store(ctx context.Context, lines *lineReader) {
	chunks := make(chan *bulkChunk)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx, chunks)
	}()
	w.readErr = w.server.decodeBulk(ctx, lines, chunks, w.failed)
	<-done
	w.result.Complete = w.err == nil && w.readErr == nil
}

// bulkRenew is how often the sender of a stream is looked at again.
const bulkRenew = 10 * time.Second

// run commits chunks until there are no more. After a failure it takes none.
func (w *bulkWriter) run(ctx context.Context, chunks <-chan *bulkChunk) {
	// A client that leaves does not stop the commit under way: what came whole may as
	// well be stored, and half a chunk is not.
	ctx = context.WithoutCancel(ctx)
	for chunk := range chunks {
		if err := w.commit(ctx, chunk); err != nil {
			// Before stop, after which the request's context may look as if the client left.
			w.err = w.server.fail(ctx, err)
			close(w.failed)
			if w.stop != nil {
				w.stop()
			}
			return
		}
	}
}

func (w *bulkWriter) commit(ctx context.Context, chunk *bulkChunk) error {
	if now := w.server.now(); w.renew != nil && now.Sub(w.admitted) >= bulkRenew {
		if err := w.renew(ctx); err != nil {
			return err
		}
		w.admitted = now
	}
	var stored model.BulkResult
	if len(chunk.rows) > 0 {
		ctx, cancel := context.WithTimeout(ctx, w.server.cfg.BulkCommitTimeout)
		defer cancel()
		var err error
		if stored, err = w.server.ingest.SubmitMany(ctx, chunk.rows); err != nil {
			return err
		}
	}
	r := &w.result
	r.Inserted += int64(stored.Inserted)
	r.Duplicates += int64(len(stored.Duplicates))
	r.Failed += int64(len(stored.Failed)) + chunk.badLines
	r.Received = r.Inserted + r.Duplicates + r.Failed
	r.Resume = chunk.end
	w.note(chunk, stored.Failed)
	if w.committed != nil {
		w.committed(*r)
	}
	return nil
}

// note keeps the first faults of the stream, in the order of its lines.
func (w *bulkWriter) note(chunk *bulkChunk, failed []model.RowError) {
	room := maxRowFaults - len(w.result.Errors)
	faults := chunk.bad
	for _, row := range failed[:min(len(failed), room)] {
		f := faultOf("", row.Err)
		faults = append(faults, BulkLineError{chunk.lines[row.Index], f.Location, f.Message})
	}
	slices.SortStableFunc(faults, func(a, b BulkLineError) int { return cmp.Compare(a.Line, b.Line) })
	w.result.Errors = append(w.result.Errors, faults[:min(len(faults), room)]...)
}
