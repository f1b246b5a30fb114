package postgres

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/model"
)

const (
	copySignalsSQL = `COPY signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, "timestamp") FROM STDIN (FORMAT binary)`
	// signalColumns is how many columns that names.
	signalColumns = 9
	// copyPiece is how much is encoded at once: pgconn asks for no more.
	copyPiece = 64 << 10
)

// copySignals stores a batch by COPY in PostgreSQL's binary format. The driver's own
// CopyFrom asks for the types of the columns before and finds a way to encode each
// value of each row, which together takes more time than all else that the service
// does with a row.
func copySignals(ctx context.Context, conn *pgxpool.Conn, batch []model.IndexedSignal) (int, error) {
	tag, err := conn.Conn().PgConn().CopyFrom(ctx, &copyReader{batch: batch}, copySignalsSQL)
	return int(tag.RowsAffected()), err
}

// copyReader is a batch as the data of a COPY. The format is described with the command
// COPY in PostgreSQL's manual, under "Binary Format".
type copyReader struct {
	batch []model.IndexedSignal // what is still to be encoded
	buf   []byte
	ready []byte // the part of buf that nobody has read
	begun bool
	ended bool
}

// Read encodes the next rows.
func (r *copyReader) Read(p []byte) (int, error) {
	if len(r.ready) == 0 {
		r.fill()
	}
	if len(r.ready) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

func (r *copyReader) fill() {
	if r.buf == nil {
		r.buf = make([]byte, 0, copyPiece)
	}
	b := r.buf[:0]
	if !r.begun {
		r.begun = true
		b = append(b, "PGCOPY\n\xff\r\n\x00"...)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // no flags, no extension
	}
	for len(r.batch) > 0 && len(b) < copyPiece/2 {
		b = appendCopyRow(b, &r.batch[0])
		r.batch = r.batch[1:]
	}
	if len(r.batch) == 0 && !r.ended {
		r.ended = true
		b = append(b, 0xff, 0xff)
	}
	r.buf, r.ready = b, b
}

func appendCopyRow(b []byte, row *model.IndexedSignal) []byte {
	b = append(b, 0, signalColumns)
	b = append(b, 0, 0, 0, byte(len(row.ID)))
	b = append(b, row.ID[:]...)
	b = appendCopyText(b, row.FromNeuron)
	b = appendCopyText(b, row.ToNeuron)
	b = appendCopyText(b, row.LayerFrom)
	b = appendCopyText(b, row.LayerTo)
	b = appendCopyText(b, row.PropagationType)
	b = appendCopyText(b, row.Content)
	if row.Metadata == nil {
		b = append(b, 0xff, 0xff, 0xff, 0xff) // NULL, which the column refuses
	} else {
		// Version 1 of jsonb's format is the text.
		b = append(appendCopyLength(b, 1+len(row.Metadata)), 1)
		b = append(b, row.Metadata...)
	}
	b = append(b, 0, 0, 0, 8)
	return binary.BigEndian.AppendUint64(b, uint64(copyMoment(row.Timestamp))) //nolint:gosec // the sign goes along
}

func appendCopyText(b []byte, text string) []byte {
	return append(appendCopyLength(b, len(text)), text...)
}

func appendCopyLength(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // texts are bounded far below
}

// copyEpoch is 2000-01-01 in microseconds since 1970.
const copyEpoch = 946_684_800_000_000

// copyMoment is a moment in microseconds since 2000.
func copyMoment(at time.Time) int64 { return at.UnixMicro() - copyEpoch }
