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
	"io"
	"maps"
	"math"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// RestoreOptions are what a restore takes. File, To and ToName are required.
type RestoreOptions struct {
	File           string // an export, compressed or not
	To, ToName     string
	Clean          bool
	SkipComparison bool
	Progress       func(Progress)
	Tell           func(string)
}

// What Restore finds before it touches the target.
var (
	// ErrNoExport says that a file is no whole export.
	ErrNoExport = errors.New("the file is no whole export")
	// ErrOtherSchema says that an export is of another version of the schema.
	ErrOtherSchema = errors.New("the export is of another schema")
)

// Restore puts an export into a database of either engine. The whole file is checked
// before the target is touched; a restore that was interrupted goes on. It has the same
// report as a copy.
func Restore(ctx context.Context, o RestoreOptions) (report *Report, err error) {
	began := time.Now()
	report = &Report{From: o.File, To: o.ToName, Tables: []TableReport{}, Refused: []Refused{}, Differences: []Difference{}}
	defer func() { report.Seconds = time.Since(began).Seconds() }()
	target, err := open(ctx, o.To)
	if err != nil {
		return report, fmt.Errorf("the target: %w", err)
	}
	defer func() { err = errors.Join(err, target.close()) }()
	c := &copier{
		options: Options{ToName: o.ToName, Clean: o.Clean, SkipComparison: o.SkipComparison, Progress: o.Progress, Tell: o.Tell, chunkRows: chunkRows, listed: mostRefused},
		target:  target, notes: notes{target}, report: report, phase: "checking",
	}
	if c.tables, err = target.describe(ctx); err != nil {
		return report, err
	}
	file, err := os.Open(o.File)
	if err != nil {
		return report, fmt.Errorf("open the export: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	found, err := c.check(ctx, file)
	if err != nil {
		return report, err
	}
	c.options.FromName = "export " + found.end.SHA256
	if err := c.target.seize(ctx); err != nil {
		return report, fmt.Errorf("the target: %w", err)
	}
	if err := c.begin(ctx); err != nil {
		return report, err
	}
	if err := c.restoreRows(ctx, file, found); err != nil {
		return report, err
	}
	if err := c.complete(ctx, found.header.Version, found.header.Epoch); err != nil {
		return report, fmt.Errorf("finish the restore: %w", err)
	}
	if o.SkipComparison {
		return report, nil
	}
	return report, c.compareFile(ctx, file, found)
}

func (c *copier) restoreRows(ctx context.Context, file *os.File, found *checked) error {
	began := time.Now()
	c.phase, c.done = "copying", 0
	var err error
	if c.report.PartitionsMade, err = ensureMonths(ctx, c.target, found.days); err != nil {
		return err
	}
	f, err := openExport(file)
	if err != nil {
		return err
	}
	defer f.close()
	for i := range c.tables {
		if err := c.bulk(ctx, &c.tables[i], f.rows); err != nil {
			return err
		}
	}
	if err := f.endsAs(found); err != nil {
		return err
	}
	c.report.CopySeconds = time.Since(began).Seconds()
	c.report.RowsPerSecond = float64(c.copied) / max(c.report.CopySeconds, 1e-6)
	return c.target.settle(ctx)
}

func (c *copier) compareFile(ctx context.Context, file *os.File, found *checked) error {
	began := time.Now()
	c.phase, c.done = "comparing", 0
	f, err := openExport(file)
	if err != nil {
		return err
	}
	defer f.close()
	err = compareTables(ctx, c.tables, f.rows, fromDatabase(c.target), c.report, c.step)
	c.report.CompareSeconds = time.Since(began).Seconds()
	if err == nil {
		err = f.endsAs(found)
	}
	return err
}

// checked is what the first reading of an export found.
type checked struct {
	header exportHeader
	end    exportTrailer
	days   map[int64]int64 // signals by day
}

// check reads the whole file: every row, the counts and the checksum.
func (c *copier) check(ctx context.Context, file *os.File) (*checked, error) {
	f, err := openExport(file)
	if err != nil {
		return nil, err
	}
	defer f.close()
	version, err := c.target.schemaVersion(ctx)
	if err != nil {
		return nil, err
	}
	if f.header.SchemaVersion != version {
		return nil, fmt.Errorf("%w: its version is %d and the target's %d: restore it with the program that fits it, and migrate then", ErrOtherSchema, f.header.SchemaVersion, version)
	}
	out := &checked{header: f.header, days: map[int64]int64{}}
	counts := map[string]int64{}
	for i := range c.tables {
		t := &c.tables[i]
		var last Row
		err := f.rows(ctx, t, nil, func(r Row) error {
			key := t.keyOf(r)
			if last != nil && t.compareKeys(last, key) >= 0 {
				return fmt.Errorf("%w: line %d: the rows of %s are out of order", ErrNoExport, f.number, t.Name)
			}
			last = key
			counts[t.Name]++
			if t.month >= 0 {
				const microsOfDay = 86_400_000_000
				out.days[int64(math.Floor(float64(r[t.month].n)/microsOfDay))]++
			}
			c.step(t, 1)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if out.end, err = f.end(); err != nil {
		return nil, err
	}
	if !maps.Equal(counts, out.end.Rows) {
		return nil, fmt.Errorf("%w: it has other rows than its last line tells, or tables that are not known here", ErrNoExport)
	}
	for _, n := range counts {
		c.total += n
	}
	return out, nil
}

// exportFile is an export that is read from its beginning to its end.
type exportFile struct {
	unzip  *zstd.Decoder // nil: it is not compressed
	lines  *bufio.Reader
	sum    interface{ Sum(b []byte) []byte }
	digest io.Writer
	number int
	header exportHeader

	// The line at hand.
	table   string
	row     map[string]json.RawMessage
	trailer *exportTrailer
	sumAt   string // of all lines before it
}

// openExport begins to read a file, and reads its header. The file is read several times,
// and opened once: its name may mean another one meanwhile.
func openExport(file *os.File) (_ *exportFile, err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("open the export: %w", err)
	}
	sum := sha256.New()
	f := &exportFile{sum: sum, digest: sum}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	const room = 1 << 16
	raw := bufio.NewReaderSize(file, room)
	var in io.Reader = raw
	if magic, _ := raw.Peek(4); bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		if f.unzip, err = zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<28)); err != nil {
			return nil, fmt.Errorf("open the export: %w", err)
		}
		in = f.unzip
	}
	f.lines = bufio.NewReaderSize(in, room)
	line, err := f.line()
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(line, &f.header) != nil || f.header.Format == 0 {
		return nil, fmt.Errorf("%w: it does not begin with the header of one", ErrNoExport)
	}
	if f.header.Format != exportFormat {
		return nil, fmt.Errorf("%w: its form has version %d, and this program reads %d", ErrNoExport, f.header.Format, exportFormat)
	}
	return f, f.next()
}

func (f *exportFile) close() {
	if f.unzip != nil {
		f.unzip.Close()
	}
}

// longestLine bounds a line: a row is far shorter.
const longestLine = 64 << 20

func (f *exportFile) line() ([]byte, error) {
	f.sumAt = hex.EncodeToString(f.sum.Sum(nil))
	var line []byte
	for {
		part, err := f.lines.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) || len(line) > longestLine {
			return nil, fmt.Errorf("%w: it breaks off in line %d", ErrNoExport, f.number+1)
		}
	}
	f.number++
	_, _ = f.digest.Write(line) // never fails
	return line, nil
}

// next reads the next row, or the trailer.
func (f *exportFile) next() error {
	line, err := f.line()
	if err != nil {
		return err
	}
	var l struct {
		Table string                     `json:"table"`
		Row   map[string]json.RawMessage `json:"row"`
		End   *exportTrailer             `json:"end"`
	}
	if err := json.Unmarshal(line, &l); err != nil || l.Row == nil && l.End == nil {
		return fmt.Errorf("%w: line %d is no row", ErrNoExport, f.number)
	}
	f.table, f.row, f.trailer = l.Table, l.Row, l.End
	return nil
}

// end checks what stands behind the last row.
func (f *exportFile) end() (exportTrailer, error) {
	if f.trailer == nil {
		return exportTrailer{}, fmt.Errorf("%w: line %d is of the table %q, which is not known here or out of order", ErrNoExport, f.number, f.table)
	}
	if f.trailer.SHA256 != f.sumAt {
		return exportTrailer{}, fmt.Errorf("%w: its checksum is wrong", ErrNoExport)
	}
	if _, err := f.lines.ReadByte(); !errors.Is(err, io.EOF) {
		return exportTrailer{}, fmt.Errorf("%w: something stands behind its last line", ErrNoExport)
	}
	return *f.trailer, nil
}

// endsAs tells whether what was read is what was checked: a file may be written to.
func (f *exportFile) endsAs(found *checked) error {
	end, err := f.end()
	if err == nil && end.SHA256 != found.end.SHA256 {
		err = fmt.Errorf("%w: it is another one than was checked", ErrNoExport)
	}
	if err != nil {
		return fmt.Errorf("the file was changed while it was restored, give it again: %w", err)
	}
	return nil
}

// rows hands out the rows of a table, which come in the order of the tables.
func (f *exportFile) rows(ctx context.Context, t *Table, after Row, each func(Row) error) error {
	for f.trailer == nil && f.table == t.Name {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
		r, err := t.fromJSON(f.row)
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrNoExport, f.number, err)
		}
		if after == nil || t.compareKeys(t.keyOf(r), after) > 0 {
			if err := each(r); err != nil {
				return err
			}
		}
		if err := f.next(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) fromJSON(members map[string]json.RawMessage) (Row, error) {
	r := make(Row, len(t.Columns))
	known := 0
	for i, c := range t.Columns {
		if i == t.search {
			continue
		}
		raw, found := members[c.Name]
		if !found {
			return nil, fmt.Errorf("%s.%s is missing", t.Name, c.Name)
		}
		known++
		if err := r[i].fromJSON(raw, c.Kind); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name, c.Name, err)
		}
	}
	if known != len(members) {
		return nil, fmt.Errorf("%s has columns that are not known here", t.Name)
	}
	t.derive(r)
	return r, nil
}

func (v *Value) fromJSON(raw json.RawMessage, k Kind) error {
	if k == JSON {
		// A JSON null as a value does not occur: such columns hold objects and arrays.
		v.s, v.null = string(raw), string(raw) == "null"
		return nil
	}
	if string(raw) == "null" {
		v.null = true
		return nil
	}
	switch k { //nolint:exhaustive // the others are written as text
	case Bool:
		var b bool
		err := json.Unmarshal(raw, &b)
		if b {
			v.n = 1
		}
		return err //nolint:wrapcheck // the caller wraps it
	case Int:
		return json.Unmarshal(raw, &v.n) //nolint:wrapcheck // as above
	case Float:
		var f float64
		err := json.Unmarshal(raw, &f)
		v.n = int64(math.Float64bits(f)) //nolint:gosec // its bits
		return err                       //nolint:wrapcheck // as above
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err //nolint:wrapcheck // as above
	}
	switch k {
	case Time:
		at, err := time.Parse(time.RFC3339Nano, text)
		v.n = at.UnixMicro()
		return err //nolint:wrapcheck // as above
	case Bytes:
		b, err := base64.StdEncoding.DecodeString(text)
		v.s = string(b)
		return err //nolint:wrapcheck // as above
	case UUID:
		v.s = packUUID(text)
	default:
		v.s = text
	}
	return nil
}
