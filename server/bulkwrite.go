package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// bulkWriter commits the chunks of one stream in their order.
type bulkWriter struct {
	server *Server
	result bulkResult
	// failed is closed, and err set, when a chunk could not be tried.
	failed chan struct{}
	err    error
	// stop ends the wait for the client: the answer to a failure must not.
	stop func()
	// admitted is when the sender was last known to be allowed to.
	admitted time.Time
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
			w.stop()
			return
		}
	}
}

func (w *bulkWriter) commit(ctx context.Context, chunk *bulkChunk) error {
	if now := w.server.now(); now.Sub(w.admitted) >= bulkRenew {
		if err := w.server.renew(ctx, routeKey{http.MethodPost, bulkPath}); err != nil {
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
	return nil
}

// note keeps the first faults of the stream, in the order of its lines.
func (w *bulkWriter) note(chunk *bulkChunk, failed []model.RowError) {
	room := maxRowFaults - len(w.result.Errors)
	faults := chunk.bad
	for _, row := range failed[:min(len(failed), room)] {
		f := faultOf("", row.Err)
		faults = append(faults, bulkLineError{chunk.lines[row.Index], f.Location, f.Message})
	}
	slices.SortStableFunc(faults, func(a, b bulkLineError) int { return cmp.Compare(a.Line, b.Line) })
	w.result.Errors = append(w.result.Errors, faults[:min(len(faults), room)]...)
}
