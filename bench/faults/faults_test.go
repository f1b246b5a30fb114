package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/bench/ledger"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // exits
	}
	os.Exit(m.Run())
}

// TestFaults is a short form of `make faults`, with neither root nor strace.
func TestFaults(t *testing.T) {
	t.Parallel()
	hal9 := build(t)
	given := func(context.Context, string) (database, error) {
		return &postgres{address: migrated.PostgresDatabase(t)}, nil
	}
	for name, f := range map[string]fault{
		"kill/sqlite":     {trials: 2, try: killServer(newLite)},
		"kill/postgres":   {trials: 2, try: killServer(given)},
		"SIGTERM/sqlite":  {trials: 1, try: endServer(newLite, false)},
		"file size limit": {trials: 1, try: fileLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var told bytes.Buffer
			// A key is locked for as long and 5 s more, which the load's end waits for.
			o := options{hal9: hal9, told: &told, environment: []string{"HAL9_SERVER_REQUEST_TIMEOUT=2s", "HAL9_SERVER_DRAIN_DELAY=1s"}}
			r := &Row{Fault: name, Trials: f.trials}
			if err := f.try(t.Context(), o, r); err != nil {
				t.Error(err)
			}
			r.tell(&told)
			t.Log(told.String())
			if err := verdict([]*Row{r}); err != nil {
				t.Error(err)
			}
			if r.Acknowledged == 0 || len(r.Recovery) != f.trials {
				t.Errorf("%d were acknowledged, and it recovered %d times", r.Acknowledged, len(r.Recovery))
			}
		})
	}
}

// build builds the program as this test was built, so that there is little left to do.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hal9")
	args := []string{"build", "-buildvcs=false", "-o", path}
	info, ok := debug.ReadBuildInfo()
	if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		// As the Makefile's RACE: what else would be compiled anew takes minutes.
		args = append(args, "-race", "-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=modernc.org/libc=-race=false")
	}
	if out, err := exec.CommandContext(t.Context(), "go", append(args, "../../cmd/hal9")...).CombinedOutput(); err != nil {
		t.Fatalf("build hal9: %v\n%s", err, out)
	}
	return path
}

// What is broken shows: in the row, and in the exit code.
func TestVerdict(t *testing.T) {
	t.Parallel()
	r := &Row{Fault: "f", Engine: "SQLite"}
	r.take(ledger.Account{Acknowledged: 5})
	if err := verdict([]*Row{r}); err != nil {
		t.Error(err)
	}
	for want, a := range map[string]ledger.Account{
		"lost": {Acknowledged: 5, Lost: 1}, "twice": {Acknowledged: 5, Duplicated: 1},
		"although": {Acknowledged: 5, Untrue: 1}, "wrong": {Acknowledged: 5, Wrong: 1}, "nothing was acknowledged": {},
	} {
		r := &Row{Fault: "f", Engine: "SQLite"}
		r.take(a)
		if err := verdict([]*Row{r}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v does not tell %q", a, err, want)
		}
	}
}

func TestReadSyncs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "strace")
	text := `7 1000.500000 fdatasync(3</d/hal9.db-wal>) = 0 <0.250000>
7 1001.000000 fsync(4</d/hal9.db> <unfinished ...>
8 1001.100000 fsync(3</d/hal9.db-wal>) = -1 EIO (Input/output error) (INJECTED) <0.000009>
7 1002.000000 <... fsync resumed>) = 0 <1.000000>
9 1003.000000 fsync(9</d/other>) = 0 <0.100000>
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	syncs, err := readSyncs(file)
	if err != nil {
		t.Fatal(err)
	}
	at := func(s float64) time.Time { return time.UnixMicro(int64(s * 1e6)) }
	if len(syncs) != 2 || !syncs[0].begin.Equal(at(1000.5)) || !syncs[0].end.Equal(at(1000.75)) ||
		!syncs[1].begin.Equal(at(1001)) || !syncs[1].end.Equal(at(1002)) {
		t.Errorf("got %v", syncs)
	}
	if !syncedWithin(syncs, at(1000.4), at(1000.8)) || syncedWithin(syncs, at(1000.6), at(1001.5)) {
		t.Error("a sync counts for whoever waited for the whole of it")
	}
}
