package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/server"
)

func loadResult(t *testing.T, o outcome) server.BulkResult {
	t.Helper()
	var r server.BulkResult
	if err := json.Unmarshal([]byte(o.out), &r); err != nil {
		t.Fatalf("%v\n%s\n%s", err, o.out, o.errors)
	}
	return r
}

func TestSignalsLoad(t *testing.T) {
	t.Parallel()
	postgres := testenv.PostgresDatabase(t)
	hal9(t, nil, "migrate", "up", "--database-url="+postgres).want(t, exitOK, "", "")
	for engine, target := range map[string]string{"postgres": postgres, "sqlite": "sqlite://" + filepath.Join(t.TempDir(), "new.db")} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			environ := []string{"HAL9_DATABASE_URL=" + target, "HAL9_INGEST_BULK_CHUNK_ROWS=100"}
			var lines strings.Builder
			for n := range 250 {
				fmt.Fprintf(&lines, `{"content": "row %d", "layer_to": "L3", "to_neuron": "load-%s"}`+"\n", n, engine)
			}
			good := lines.String()
			lines.WriteString(`{"content": "x", "layer_to": "L9"}` + "\n")
			dir := t.TempDir()

			// What was stored is told where results go, though the command failed.
			plain := hal9(t, environ, "signals", "load", write(t, dir, "a.ndjson", []byte(lines.String())))
			if plain.code != exitFailure || !strings.Contains(plain.out, "line 251: layer_to: unknown layer") ||
				!strings.Contains(plain.out, "250 stored") || !strings.Contains(plain.errors, "lines that failed: 1") {
				t.Errorf("a bad line: %+v", plain)
			}
			all := loadResult(t, hal9(t, environ, "signals", "load", write(t, dir, "a.zst", zstandard(t, good)), "--json"))
			if all.Inserted != 250 || all.Failed != 0 || !all.Complete {
				t.Errorf("zstd: %+v", all)
			}
			// Half a file stores what came whole and tells where to go on.
			whole := gzipped(t, good)
			cut := hal9(t, environ, "signals", "load", write(t, dir, "cut.gz", whole[:len(whole)/2]), "--json")
			part := loadResult(t, cut)
			if cut.code != exitFailure || !strings.Contains(cut.errors, "Go on with: hal9 signals load FILE --from-offset") ||
				part.Complete || part.Inserted == 0 || part.Inserted == 250 {
				t.Errorf("half a file: %+v", cut)
			}
			rest := hal9(t, environ, "signals", "load", write(t, dir, "whole.gz", whole), "--json",
				fmt.Sprint("--from-offset=", part.Resume.Offset), fmt.Sprint("--from-line=", part.Resume.Line))
			rest.want(t, exitOK, "", "")
			if n := part.Inserted + loadResult(t, rest).Inserted; n != 250 {
				t.Errorf("stored %d in two parts", n)
			}
		})
	}
}

func TestSignalsLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := "--database-url=sqlite://" + filepath.Join(dir, "new.db")
	file := write(t, t.TempDir(), "a.ndjson", []byte(`{"content": "x", "layer_to": "L3"}`))
	hal9(t, nil, "signals", "load", filepath.Join(dir, "none"), target).want(t, exitUsage, "", "does not exist")
	hal9(t, nil, "signals", "load", dir, target).want(t, exitUsage, "", "is a directory")
	hal9(t, nil, "signals", "load", target).want(t, exitUsage, "", "FILE")
	hal9(t, nil, "signals", "load", file, target, "--from-offset=-1").want(t, exitUsage, "", "--from-offset")
	hal9(t, nil, "signals", "load", file, "--database-url=sqlite::memory:").want(t, exitUsage, "", "is gone when the load ends")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	beyond := hal9(t, nil, "signals", "load", file, target, "--from-offset=1000")
	if beyond.code != exitFailure || !strings.Contains(beyond.errors, "pass over the first 1000 bytes") {
		t.Errorf("from beyond the end: %+v", beyond)
	}
}

// interrupting is a file at whose second piece somebody presses Ctrl+C.
type interrupting struct {
	pieces    int
	interrupt func()
}

func (r *interrupting) Read(p []byte) (int, error) {
	if r.pieces++; r.pieces == 2 {
		r.interrupt()
	}
	return copy(p, `{"content":"x","layer_to":"L3"}`+"\n"), nil
}

func TestSignalsLoadIsInterrupted(t *testing.T) {
	t.Parallel()
	target := "--database-url=sqlite://" + filepath.Join(t.TempDir(), "signals.db")
	hal9(t, nil, "migrate", "up", target).want(t, exitOK, migrated(t), "")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var stdout, stderr bytes.Buffer
	code := Run(ctx, []string{"signals", "load", "-", target}, &interrupting{interrupt: func() { cancel(server.ErrNoDrain) }}, &stdout, &stderr, nil)
	if told := stderr.String(); code != exitFailure || !strings.Contains(told, "interrupted") || !strings.Contains(told, "--from-offset") {
		t.Errorf("exit %d, and it says %q", code, told)
	}
}

func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t *testing.T, text string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	return w.EncodeAll([]byte(text), nil)
}
