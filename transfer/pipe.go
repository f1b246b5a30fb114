package transfer

import (
	"context"
	"errors"

	"github.com/hal9-ai/hal9/model"
)

// step imports one table.
type step interface {
	// table is its name, in lower case.
	table() string
	run(ctx context.Context, j *job) error
}

// pipe is the step of a table whose rows become a T each: it reads, converts and
// writes them in chunks, so that memory stays bounded whatever the table's size.
type pipe[T any] struct {
	name    string
	columns []string // that convert reads; others are kept as legacy_…
	convert func(ctx context.Context, r *row) (T, error)
	// unique are columns besides id whose values the file may repeat, and the store
	// may not.
	unique []string
	// judge tells what would become of each row, as write does; only a dry run asks. q
	// is nil when there is no store.
	judge func(ctx context.Context, q model.Queries, items []T) ([]outcome, error)
	// write stores a chunk in one transaction and tells what became of each.
	write func(ctx context.Context, tx model.Tx, items []T) ([]outcome, error)
	// lost is told of rows that are not imported, those that could not be converted
	// and those that were refused. May be nil.
	lost func(id any)
}

// outcome is what became of one row.
type outcome struct {
	fate   fate
	reason string // why it was refused; "" stands for the database's refusal
	detail string
	note   string      // what the report should tell about it
	fates  []fieldFate // what became of values beyond the row's own fates
}

type fate int

const (
	written fate = iota
	present      // stored already; what is stored stays as it is
	refused
)

// pending is a converted row with the name by which the report knows it.
type pending[T any] struct {
	item  T
	rowid any
	label string
	id    any // as the file has it
	notes []string
	fates []fieldFate
	given []bool
}

func pendingOf[T any](item T, r *row) pending[T] {
	return pending[T]{item, r.rowid, r.label(), r.value("id"), r.notes, r.fates, r.given()}
}

func (p *pipe[T]) table() string { return p.name }

func (p *pipe[T]) run(ctx context.Context, j *job) error {
	const chunkBytes = 8 << 20
	report := j.report.table(p.name)
	report.fieldsOf(j.source.schema.tables[p.name])
	rows, err := j.source.rows(ctx, p.name, p.columns, p.unique...)
	if err != nil {
		return err
	}
	defer rows.close()
	var chunk []pending[T]
	size := 0
	flush := func() error {
		if err := p.flush(ctx, j, report, chunk); err != nil {
			return err
		}
		j.progress(p.name, report.Read)
		chunk, size = chunk[:0], 0
		return nil
	}
	for {
		r, err := rows.next()
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		report.Read++
		item, err := p.take(ctx, rows, r)
		var skipped *skip
		switch {
		case errors.As(err, &skipped):
			report.skip(r.rowid, r.label(), skipped)
			report.countFields(r.given(), nil, refused)
			continue
		case err != nil:
			return err
		}
		chunk = append(chunk, pendingOf(item, r))
		size += rows.size
		if len(chunk) >= j.options.ChunkRows || size >= chunkBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// take judges a row and converts it.
func (p *pipe[T]) take(ctx context.Context, rows *rowReader, r *row) (item T, err error) {
	if r.tooBig != "" {
		p.lose(r.value("id"))
		return item, &skip{reason: r.tooBig + " is larger than 1 MiB"}
	}
	if err := rows.repeated(r); err != nil {
		return item, err
	}
	if item, err = p.convert(ctx, r); err != nil {
		p.lose(r.value("id"))
	}
	return item, err
}

func (p *pipe[T]) lose(id any) {
	if p.lost != nil {
		p.lost(id)
	}
}

// settle counts a row whose fate is known.
func (p *pipe[T]) settle(report *TableReport, c *pending[T], o *outcome) {
	if o.fate == refused {
		p.lose(c.id)
	}
	report.settle(c.rowid, c.label, c.notes, o)
	report.countFields(c.given, append(c.fates, o.fates...), o.fate)
}

func (p *pipe[T]) flush(ctx context.Context, j *job, report *TableReport, chunk []pending[T]) error {
	if len(chunk) == 0 {
		return nil
	}
	if err := j.source.file.unchanged(); err != nil {
		return err
	}
	if j.options.DryRun {
		return p.rehearse(ctx, j, report, chunk)
	}
	return p.store(ctx, j, report, chunk)
}

// rehearse asks the store what it holds and writes nothing.
func (p *pipe[T]) rehearse(ctx context.Context, j *job, report *TableReport, chunk []pending[T]) error {
	var q model.Queries
	if j.store != nil {
		q = j.store
	}
	outcomes, err := p.judge(ctx, q, itemsOf(chunk))
	if err != nil {
		return err
	}
	for i := range chunk {
		p.settle(report, &chunk[i], &outcomes[i])
	}
	return nil
}

// store writes a chunk. When the store refuses one of its rows, the chunk is
// split until that row stands alone: no other is lost with it.
func (p *pipe[T]) store(ctx context.Context, j *job, report *TableReport, chunk []pending[T]) error {
	var outcomes []outcome
	err := j.store.InTx(ctx, func(ctx context.Context, tx model.Tx) (err error) {
		outcomes, err = p.write(ctx, tx, itemsOf(chunk))
		return err
	})
	switch {
	case err == nil:
		for i := range chunk {
			p.settle(report, &chunk[i], &outcomes[i])
		}
		return nil
	case !errors.Is(err, model.ErrInvalid) && !errors.Is(err, model.ErrConflict):
		return err
	case len(chunk) == 1:
		p.settle(report, &chunk[0], &outcome{fate: refused, detail: reasonOf(err)})
		return nil
	}
	half := len(chunk) / 2
	if err := p.store(ctx, j, report, chunk[:half]); err != nil {
		return err
	}
	return p.store(ctx, j, report, chunk[half:])
}

func itemsOf[T any](chunk []pending[T]) []T {
	items := make([]T, len(chunk))
	for i, c := range chunk {
		items[i] = c.item
	}
	return items
}
