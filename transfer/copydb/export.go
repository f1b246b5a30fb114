package copydb

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/hal9-ai/hal9/model"
)

// exportFormat is the version of the files' form.
const exportFormat = 1

// exportHeader is the first line of an export.
type exportHeader struct {
	Format        int       `json:"hal9_export"`
	SchemaVersion int64     `json:"schema_version"`
	Engine        string    `json:"engine"`
	CreatedAt     time.Time `json:"created_at"`
	// Version and Epoch are the database's counters: a restored one goes on above them.
	Version int64 `json:"version"`
	Epoch   int64 `json:"epoch"`
}

// exportTrailer is the last line, without which a file is not whole.
type exportTrailer struct {
	Rows   map[string]int64 `json:"rows"`
	SHA256 string           `json:"sha256"` // of all bytes before this line, as hexadecimal digits
}

// ExportOptions are what an export takes. From is required.
type ExportOptions struct {
	From     string
	Progress func(Progress)
}

// ExportReport tells what an export holds.
type ExportReport struct {
	Rows    map[string]int64 `json:"rows"`
	Refused []Refused        `json:"refused"` // the first thousand rows that JSON cannot hold
	// RefusedRows counts all of them.
	RefusedRows int64   `json:"refused_rows"`
	SHA256      string  `json:"sha256"`
	Seconds     float64 `json:"seconds"`
}

// Export writes one moment of a database as NDJSON: a header, a line for each row, and
// a trailer with the counts and a checksum. Rows whose text is no UTF-8 cannot be
// written; the report counts them, and lists the first thousand.
func Export(ctx context.Context, o ExportOptions, w io.Writer) (report *ExportReport, err error) {
	began := time.Now()
	report = &ExportReport{Rows: map[string]int64{}, Refused: []Refused{}}
	db, err := open(ctx, o.From)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	if err := db.snapshot(ctx); err != nil {
		return report, err
	}
	tables, err := db.describe(ctx)
	if err != nil {
		return report, err
	}
	e := &exporter{out: bufio.NewWriterSize(w, 1<<16), sum: sha256.New(), report: report}
	c := &copier{options: Options{Progress: o.Progress}, source: db, tables: tables, phase: "writing"}
	if err := c.count(ctx); err != nil {
		return report, err
	}
	if err := e.header(ctx, db); err != nil {
		return report, err
	}
	for i := range tables {
		t := &tables[i]
		err := fromDatabase(db)(ctx, t, nil, func(r Row) error {
			c.step(t, 1)
			return e.row(t, r)
		})
		if err != nil {
			return report, fmt.Errorf("export %s: %w", t.Name, err)
		}
	}
	report.Seconds = time.Since(began).Seconds()
	return report, e.trailer()
}

type exporter struct {
	out    *bufio.Writer
	sum    hash.Hash
	line   []byte
	report *ExportReport
}

func (e *exporter) write(line []byte) error {
	_, _ = e.sum.Write(line) // never fails
	if _, err := e.out.Write(line); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

func (e *exporter) header(ctx context.Context, db database) error {
	h := exportHeader{Format: exportFormat, Engine: db.engine(), CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
	var err error
	if h.SchemaVersion, err = db.schemaVersion(ctx); err != nil {
		return err
	}
	if h.Version, err = db.versionCounter(ctx); err != nil {
		return err
	}
	if h.Epoch, err = epochOf(ctx, db); err != nil {
		return err
	}
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("write the export's header: %w", err)
	}
	return e.write(append(line, '\n'))
}

// row writes a row; columns that are computed from others stay out.
func (e *exporter) row(t *Table, r Row) error {
	b := e.line[:0]
	b = append(b, `{"table":`...)
	b = appendText(b, t.Name)
	b = append(b, `,"row":{`...)
	first := true
	for i, c := range t.Columns {
		if i == t.search {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendText(b, c.Name)
		b = append(b, ':')
		var reason string
		if b, reason = r[i].appendJSON(b, c.Kind); reason != "" {
			if e.report.RefusedRows++; e.report.RefusedRows <= mostRefused {
				e.report.Refused = append(e.report.Refused, Refused{t.Name, plain(t.keyText(t.keyOf(r))), c.Name + " " + reason})
			}
			return nil
		}
	}
	b = append(b, "}}\n"...)
	e.line = b
	e.report.Rows[t.Name]++
	return e.write(e.line)
}

func (e *exporter) trailer() error {
	e.report.SHA256 = hex.EncodeToString(e.sum.Sum(nil))
	line, err := json.Marshal(map[string]exportTrailer{"end": {e.report.Rows, e.report.SHA256}})
	if err != nil {
		return fmt.Errorf("write the export's trailer: %w", err)
	}
	if err := e.write(append(line, '\n')); err != nil {
		return err
	}
	if err := e.out.Flush(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

func appendText(b []byte, text string) []byte {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) //nolint:errchkjson // a text can always be written
	return append(b, bytes.TrimRight(line.Bytes(), "\n")...)
}

// appendJSON writes a value, or tells why it cannot.
func (v *Value) appendJSON(b []byte, k Kind) (_ []byte, reason string) {
	if v.null {
		return append(b, "null"...), ""
	}
	switch k {
	case Bool:
		return fmt.Append(b, v.n != 0), ""
	case Int:
		return fmt.Append(b, v.n), ""
	case Float:
		f := math.Float64frombits(uint64(v.n)) //nolint:gosec // its bits
		text, err := json.Marshal(f)
		if err != nil {
			return b, "is no finite number"
		}
		return append(b, text...), ""
	case JSON:
		var line bytes.Buffer
		if !utf8.ValidString(v.s) || json.Compact(&line, []byte(v.s)) != nil {
			return b, "is no valid JSON"
		}
		return append(b, line.Bytes()...), ""
	case Bytes:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, []byte(v.s))
		return append(b, '"'), ""
	case Time:
		if at := time.UnixMicro(v.n).UTC(); at.Year() < 1 || at.After(model.MaxTime()) {
			return b, "lies outside the years 1 to 9999"
		}
		return appendText(b, v.text(Time)), ""
	default:
		if text := v.text(k); utf8.ValidString(text) {
			return appendText(b, text), ""
		}
		return b, "is no valid UTF-8"
	}
}
