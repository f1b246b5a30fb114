package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// Options say how to import.
type Options struct {
	// DryRun reads and judges every row and writes nothing.
	DryRun bool
	// ChunkRows is the most rows that one transaction writes; 0 means 500.
	ChunkRows int
	// Progress is told after each chunk, from the goroutine that imports. May be nil.
	Progress func(Progress)
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	const chunkRows = 500
	if o.ChunkRows <= 0 {
		o.ChunkRows = chunkRows
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Progress tells how far an import is.
type Progress struct {
	Table string
	Done  int64 // rows read, of all tables
	Total int64
}

// job is one import under way.
type job struct {
	source  *Source
	store   model.Store // nil in a dry run without a database
	options Options
	report  *Report
	earlier int64 // rows of the tables before the current one
	total   int64
	// lostUsers are users of the file that are not imported: their keys and sessions
	// cannot be either.
	lostUsers map[uuid.UUID]bool
}

// Import copies what a source holds into a store. Rows that are there already stay
// as they are, so that importing again changes nothing and goes on after a failure.
//
// The report is never nil. With an error it tells what was done until then: whole
// chunks, each committed or not at all.
//
// In a dry run the store may be nil, for a database that does not exist yet; then
// nothing counts as stored.
func Import(ctx context.Context, s *Source, store model.Store, options Options) (*Report, error) {
	j := &job{source: s, store: store, options: options.withDefaults(), total: s.Rows(), lostUsers: map[uuid.UUID]bool{}}
	j.report = newReport(s, store, j.options.DryRun)
	if store == nil && !j.options.DryRun {
		return j.report, errors.New("import needs a store")
	}
	begin := j.options.Now()
	var err error
	for _, st := range s.found.steps {
		before := j.report.table(st.table()).Read
		if err = st.run(ctx, j); err != nil {
			err = j.stopped(err)
			break
		}
		j.earlier += j.report.table(st.table()).Read - before
	}
	err = errors.Join(err, j.forget(ctx))
	j.report.finish(j.options.Now().Sub(begin))
	return j.report, err
}

// stopped tells what a failure leaves behind.
func (j *job) stopped(err error) error {
	var source *SourceError
	switch {
	case j.options.DryRun, errors.As(err, &source) && j.report.written() == 0:
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("import was interrupted; what is written stays, import again to go on: %w", err)
	default:
		return fmt.Errorf("import stopped; what is written stays, import again to go on: %w", err)
	}
}

// forget makes every cache forget what it knew before rows were written, that there
// was no such row among it.
func (j *job) forget(ctx context.Context) error {
	if j.options.DryRun || j.report.written() == 0 {
		return nil
	}
	const patience = 10 * time.Second // after an interruption too
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	epoch, err := j.store.DatabaseEpochBump(ctx, model.DatabaseEpochBumpParams{UpdatedAt: model.NormalTime(j.options.Now())})
	if err != nil {
		return fmt.Errorf("rows were imported, but caches may still not know them: raise the database's epoch: %w", err)
	}
	j.report.Epoch = epoch
	return nil
}

func (j *job) progress(table string, read int64) {
	j.options.Progress(Progress{Table: table, Done: j.earlier + read, Total: j.total})
}
