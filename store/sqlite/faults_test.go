package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// TestDiskFull has the file reach a size that it may not pass, with many writers on
// it: whoever does not fit is told, nothing that was acknowledged is lost, and the
// store goes on when there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path}, "PRAGMA max_page_count = 300")
	other := neighbour(t, path)
	checkFull(t, st, other, func() { execute(t, other, "DELETE FROM neurons WHERE id LIKE 'full-%'") })
}

// TestNoRoomToCommit is TestDiskFull with a limit that only a commit meets, when it
// writes to the log. The limit is the process's, so the test runs in one of its own.
func TestNoRoomToCommit(t *testing.T) {
	t.Parallel()
	const child = "HAL9_TEST_NO_ROOM_TO_COMMIT"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestNoRoomToCommit$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestNoRoomToCommit") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path, AcquireTimeout: time.Minute})
	other := neighbour(t, path)
	signal.Ignore(syscall.SIGXFSZ) // so that the write fails with EFBIG
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	small := syscall.Rlimit{Cur: 1 << 20, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	checkFull(t, st, other, func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	})
}

func checkFull(t *testing.T, st *sqlite.Store, other *sql.Conn, makeRoom func()) {
	t.Helper()
	acked := fillUp(t, st)
	checkFilledUp(t, st, acked)
	wholeFile(t, other)
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
		t.Errorf("a read while the disk is full: %v", err)
	}
	makeRoom()
	if err := insert(t, st, "later"); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
	wholeFile(t, other)
}

// fillUp writes until there is no room, by single writes, transactions and bulk
// inserts, and returns what was acknowledged.
func fillUp(t *testing.T, st *sqlite.Store) map[string]bool {
	t.Helper()
	const writers = 60
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		acked = map[string]bool{}
	)
	for w := range writers {
		wg.Go(func() {
			for i := range 200 {
				n := neuron(fmt.Sprintf("full-%02d-%03d", w, i))
				n.SystemPrompt = strings.Repeat("x", 2000)
				err := writeSomehow(t.Context(), st, w, n)
				if err == nil {
					mu.Lock()
					acked[n.ID] = true
					mu.Unlock()
					continue
				}
				if !errors.Is(err, model.ErrUnavailable) {
					t.Errorf("%s: %v, want %v", n.ID, err, model.ErrUnavailable)
				}
				return
			}
			t.Errorf("writer %d found room for everything", w)
		})
	}
	wg.Wait()
	return acked
}

func writeSomehow(ctx context.Context, st *sqlite.Store, w int, n model.NeuronInsertParams) error {
	switch w % 3 {
	case 0:
		return st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
			_, err := tx.NeuronInsert(ctx, n)
			return err
		})
	case 1:
		signal := model.SignalInsertParams{
			ID: uuid.New(), FromNeuron: n.ID, ToNeuron: n.ID, LayerFrom: "L1", LayerTo: "L1", Content: n.SystemPrompt, Metadata: model.EmptyObject(), Timestamp: time.Now(),
		}
		result, err := st.SignalInsertMany(ctx, []model.SignalInsertParams{signal})
		if err == nil && result.Inserted != 1 {
			return fmt.Errorf("a bulk insert ended as %+v", result)
		}
		return err
	default:
		_, err := st.NeuronInsert(ctx, n)
		return err
	}
}

func checkFilledUp(t *testing.T, st *sqlite.Store, acked map[string]bool) {
	t.Helper()
	stored := map[string]bool{}
	neurons, err := st.NeuronList(t.Context(), model.NeuronListParams{AfterID: "full-", PageLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range neurons {
		if strings.HasPrefix(n.ID, "full-") {
			stored[n.ID] = true
		}
	}
	signals, err := st.SignalList(t.Context(), model.SignalListParams{
		Until: model.MaxTime(), Since: time.Unix(0, 0), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range signals {
		stored[s.FromNeuron] = true
	}
	for id := range acked {
		if !stored[id] {
			t.Errorf("%s was acknowledged and is not there", id)
		}
	}
	for id := range stored {
		if !acked[id] {
			t.Errorf("%s is there and its writer was told that it is not", id)
		}
	}
	if len(acked) == 0 {
		t.Error("nothing was acknowledged before the disk was full")
	}
}

// endless returns a search that takes longer than any test waits for it: three hundred
// memories, in each of which twenty thousand phrases are looked for.
func endless(t *testing.T, st *sqlite.Store) model.MemorySearchParams {
	t.Helper()
	for range 300 {
		_, err := st.MemoryInsert(t.Context(), model.MemoryInsertParams{
			ID: uuid.New(), NeuronID: "n", SearchText: "fox den", Context: model.EmptyObject(), Metadata: model.EmptyObject(), CreatedAt: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	phrases := "[" + strings.Repeat(`"fox den",`, 20_000) + `"fox den"]`
	return model.MemorySearchParams{Match: `"fox"`, Phrases: model.JSON(phrases), PageLimit: 1}
}

func TestNoFreeReader(t *testing.T) {
	t.Parallel()
	st := openStore(t, sqlite.Config{Path: t.TempDir() + "/hal9.db", MaxConnections: 1, AcquireTimeout: 50 * time.Millisecond, StatementTimeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	search := endless(t, st)
	long := make(chan error)
	go func() {
		_, err := st.MemorySearch(ctx, search)
		long <- err
	}()
	testenv.Eventually(t, "the reader is lent", func() bool { return st.PoolStats().InUse == 1 })

	start := time.Now()
	_, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"})
	if !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("no reader is free: %v, want %v", err, model.ErrUnavailable)
	}
	if took := time.Since(start); took < 50*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v to be told so, want 50ms", took)
	}
	hurried, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := st.NeuronGet(hurried, model.NeuronGetParams{ID: "neuron-l1"}); !errors.Is(err, model.ErrTimeout) {
		t.Errorf("a caller with less time: %v, want %v", err, model.ErrTimeout)
	}
	if got := st.PoolStats(); got.Waits < 2 || got.WaitTime < 50*time.Millisecond || got.Waiting != 0 {
		t.Errorf("the pool tells %+v", got)
	}

	cancel()
	if err := <-long; !errors.Is(err, context.Canceled) {
		t.Errorf("the long read ended with %v, want %v", err, context.Canceled)
	}
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// The bound on a statement holds also where the caller would wait for longer, as a request
// may.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	st := openStore(t, sqlite.Config{Path: t.TempDir() + "/hal9.db", StatementTimeout: 50 * time.Millisecond})
	search := endless(t, st)
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, ctx := range []context.Context{t.Context(), patient} {
		if _, err := st.MemorySearch(ctx, search); !errors.Is(err, model.ErrTimeout) {
			t.Errorf("a long read: %v, want %v", err, model.ErrTimeout)
		}
		err := st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
			_, err := tx.MemorySearch(ctx, search)
			return err
		})
		if !errors.Is(err, model.ErrTimeout) {
			t.Errorf("a long read in a transaction: %v, want %v", err, model.ErrTimeout)
		}
	}
	if patient.Err() != nil {
		t.Error("the caller's own time was waited for")
	}
	err := st.InTx(t.Context(), func(ctx context.Context, _ model.Tx) error {
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, model.ErrTimeout) {
		t.Errorf("a long transaction: %v, want %v", err, model.ErrTimeout)
	}
	if err := insert(t, st, "later"); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) { //nolint:paralleltest // looks at all goroutines
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, path := range []string{t.TempDir() + "/hal9.db", sqlite.MemoryPath} {
		st := openStore(t, sqlite.Config{Path: path})
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() {
				if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		together(t, st, func(i int) error { return insert(t, st, fmt.Sprintf("n%03d", i)) })
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
