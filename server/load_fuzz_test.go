package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
)

// takenIn takes signals as an ingest does and keeps what was in them.
type takenIn struct {
	server.Ingest
	rows []string
}

func (k *takenIn) SubmitMany(_ context.Context, rows []model.SignalInsertParams) (model.BulkResult, error) {
	for _, row := range rows {
		k.rows = append(k.rows, fmt.Sprintf("%q %s %s %s %s %s %s", row.Content, row.FromNeuron, row.ToNeuron, row.LayerFrom, row.LayerTo, row.PropagationType, row.Metadata))
	}
	return model.BulkResult{Inserted: len(rows)}, nil
}

// What `hal9 signals load` makes of a file does not depend on how it is compressed, nor on
// where an earlier load stopped; a file that is broken ends in an error, and what it says
// of itself in its first bytes is not believed beyond that.
func FuzzLoadSignals(f *testing.F) {
	st, err := store.Open(f.Context(), store.Config{URL: "sqlite::memory:", Migrate: true, Cache: &store.Cache{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = st.Close() })
	accounts, err := auth.New(auth.Config{Store: st})
	if err != nil {
		f.Fatal(err)
	}
	line := `{"content":"é\u0041","layer_to":"L4","metadata":{"a":1}}` + "\n"
	for _, plain := range []string{
		"", line, line + "\n\r\n" + line, line + "{}\n" + line, line + line[:20], `{"content":"x"}`, line + "\x00\n", "\xff\n" + line,
		line + `{"content":"x","layer_to":"L4","id":"nonsense"}` + "\n" + line,
	} {
		f.Add([]byte(plain), uint8(1))
		f.Add(zipped(f, []byte(plain)), uint8(0))
		f.Add(zstded(f, []byte(plain)), uint8(0))
	}
	f.Add([]byte("\x1f\x8b"), uint8(0))
	f.Add([]byte("\x28\xb5\x2f\xfd\x00"), uint8(0))
	f.Fuzz(func(t *testing.T, file []byte, after uint8) {
		const most = 1 << 20
		if len(file) > most {
			return
		}
		at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
		load := func(file []byte, from server.BulkPosition) ([]string, server.BulkResult, error) {
			in := &takenIn{}
			srv, err := server.New(server.Deps{
				Store: st, Ingest: in, Auth: accounts, Clock: func() time.Time { return at },
				Identities: ingest.Identities{Clock: func() time.Time { return at }},
			})
			if err != nil {
				t.Fatal(err)
			}
			result, err := srv.LoadSignals(t.Context(), io.LimitReader(bytes.NewReader(file), most), from, nil)
			return in.rows, result, err
		}
		rows, result, err := load(file, server.BulkPosition{})
		if int(result.Inserted) != len(rows) || result.Received != result.Inserted+result.Failed {
			t.Errorf("%d rows were taken: %+v", len(rows), result)
		}
		if bytes.HasPrefix(file, []byte{0x1f, 0x8b}) || bytes.HasPrefix(file, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			return // compressed already, or broken
		}
		if err == nil && result.Resume.Offset != int64(len(file)) {
			t.Errorf("read to %d of %d bytes", result.Resume.Offset, len(file))
		}
		for name, packed := range map[string][]byte{"gzip": zipped(t, file), "zstd": zstded(t, file)} {
			again, other, failed := load(packed, server.BulkPosition{})
			if !slices.Equal(again, rows) || other.Resume != result.Resume || other.Failed != result.Failed || (failed == nil) != (err == nil) {
				t.Errorf("%s: %+v, %v\nplain %+v, %v", name, other, failed, result, err)
			}
		}
		// What comes after so many lines, as one load and as two.
		begin, lines := 0, int64(1)
		for range after {
			end := bytes.IndexByte(file[begin:], '\n')
			if end < 0 {
				break
			}
			begin, lines = begin+end+1, lines+1
		}
		first, _, failed := load(file[:begin], server.BulkPosition{})
		if failed != nil {
			return // a line that is too long
		}
		second, rest, _ := load(file, server.BulkPosition{Offset: int64(begin), Line: lines})
		if !slices.Equal(append(first, second...), rows) || rest.Resume != result.Resume {
			t.Errorf("%d and %d rows around line %d, %d as a whole; up to %+v, %+v", len(first), len(second), lines, len(rows), rest.Resume, result.Resume)
		}
	})
}

func zipped(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(plain); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zstded(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := z.Write(plain); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
