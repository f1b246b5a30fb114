package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/sqlite"
)

const crowd = 500

// together has a crowd write at once: all wait in the queue before the writer is free.
// meanwhile runs before it is.
func together(t *testing.T, st *sqlite.Store, write func(i int) error, meanwhile ...func()) []error {
	t.Helper()
	var wg sync.WaitGroup
	outcomes := make([]error, crowd)
	held, free := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		err := st.InTx(t.Context(), func(context.Context, model.Tx) error {
			close(held)
			<-free
			return nil
		})
		if err != nil {
			t.Errorf("the transaction that holds the writer: %v", err)
		}
	})
	<-held
	for i := range crowd {
		wg.Go(func() { outcomes[i] = write(i) })
	}
	testenv.Eventually(t, "all wait", func() bool { return st.PoolStats().Waiting == crowd })
	for _, fn := range meanwhile {
		fn()
	}
	close(free)
	wg.Wait()
	return outcomes
}

func insert(t *testing.T, st *sqlite.Store, id string) error {
	t.Helper()
	_, err := st.NeuronInsert(t.Context(), neuron(id))
	return err
}

func TestWritesThatArriveTogetherCommitTogether(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path})
	before := commits(t, path)
	outcomes := together(t, st, func(i int) error { return insert(t, st, fmt.Sprintf("n%03d", i)) })
	for i, err := range outcomes {
		if err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := commits(t, path) - before; got < 1 || got > 2 {
		t.Errorf("%d writes took %d commits, want 1", crowd, got)
	}
	all, err := st.NeuronList(t.Context(), model.NeuronListParams{AfterID: "n", PageLimit: 2 * crowd})
	if err != nil || len(all) != crowd+4 { // and the four of the migrations
		t.Errorf("%d neurons are stored (%v)", len(all), err)
	}
}

func TestPoisonousRowsFailAlone(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path})
	before := commits(t, path)
	outcomes := together(t, st, func(i int) error {
		switch i {
		case 17:
			return insert(t, st, strings.Repeat("x", 256)) // refused by a check of the schema
		case 250:
			return insert(t, st, "neuron-l1") // taken
		case 300:
			_, err := st.APIKeyInsert(t.Context(), model.APIKeyInsertParams{Name: "no such user", KeyHash: "h", Permissions: model.EmptyObject(), CreatedAt: time.Now()})
			return err
		case 499:
			_, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "n499"}) // reads do not wait
			return errors.Join(err, insert(t, st, "n499"))
		default:
			return insert(t, st, fmt.Sprintf("n%03d", i))
		}
	})
	kinds := map[int]error{17: model.ErrInvalid, 250: model.ErrConflict, 300: model.ErrInvalid, 499: model.ErrNotFound}
	for i, err := range outcomes {
		if kind := kinds[i]; kind == nil && err != nil || kind != nil && !errors.Is(err, kind) {
			t.Errorf("write %d: %v, want %v", i, err, kind)
		}
	}
	// Fewer than one in the log: so many that it was begun anew.
	if got := commits(t, path) - before; got < 1 || got > 2 {
		t.Errorf("%d writes took %d commits: the bad ones broke the batch up", crowd, got)
	}
	all, err := st.NeuronList(t.Context(), model.NeuronListParams{AfterID: "n", PageLimit: 2 * crowd})
	if err != nil || len(all) != crowd+1 {
		t.Errorf("%d neurons are stored (%v), want %d", len(all), err, crowd+1)
	}
}

// TestTheLockOfAnotherProcess holds the file while a crowd, a transaction and a bulk
// insert wait for it: all are refused when the one bound on waiting has passed, not
// one after the other.
func TestTheLockOfAnotherProcess(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path, AcquireTimeout: 300 * time.Millisecond})
	other := neighbour(t, path)
	execute(t, other, "BEGIN IMMEDIATE")

	start := time.Now()
	var wg sync.WaitGroup
	outcomes := make([]error, crowd)
	for i := range crowd {
		wg.Go(func() {
			switch i % 10 {
			case 0:
				outcomes[i] = st.InTx(t.Context(), func(context.Context, model.Tx) error { return nil })
			case 1:
				_, outcomes[i] = st.SignalInsertMany(t.Context(), []model.SignalInsertParams{{FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L1", Metadata: model.EmptyObject(), Timestamp: time.Now()}})
			default:
				outcomes[i] = insert(t, st, fmt.Sprintf("n%03d", i))
			}
		})
	}
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
		t.Errorf("a read while the file is locked for writing: %v", err)
	}
	wg.Wait()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v until everybody was refused", took)
	}
	for i, err := range outcomes {
		if !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("write %d: %v, want %v", i, err, model.ErrUnavailable)
		}
	}

	leaving, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.NeuronInsert(leaving, neuron("gone")); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has left got %v", err)
	}
	execute(t, other, "ROLLBACK")
	if err := insert(t, st, "later"); err != nil {
		t.Errorf("after the lock was let go: %v", err)
	}
}

// TestCallersLeaveALockedFile holds callers to their own deadlines, shorter than the
// bound on waiting for the lock.
func TestCallersLeaveALockedFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path, AcquireTimeout: time.Hour})
	other := neighbour(t, path)
	execute(t, other, "BEGIN IMMEDIATE")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = st.NeuronInsert(ctx, neuron(fmt.Sprintf("n%03d", i)))
			} else {
				err = st.InTx(ctx, func(context.Context, model.Tx) error { return nil })
			}
			if !errors.Is(err, model.ErrTimeout) {
				t.Errorf("write %d: %v, want %v", i, err, model.ErrTimeout)
			}
		})
	}
	wg.Wait()
	execute(t, other, "ROLLBACK")
	if err := insert(t, st, "later"); err != nil {
		t.Errorf("after the lock was let go: %v", err)
	}
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "n000"}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("a write whose caller was told that it timed out: %v", err)
	}
}

// TestCloseCommitsWhatIsQueued closes the store while a crowd waits for the writer.
func TestCloseCommitsWhatIsQueued(t *testing.T) {
	t.Parallel()
	st := openStore(t, sqlite.Config{Path: t.TempDir() + "/hal9.db"})
	left, cancel := context.WithCancel(t.Context())
	cancel()
	var wg sync.WaitGroup
	outcomes := together(t, st, func(i int) error { return insert(t, st, fmt.Sprintf("n%03d", i)) }, func() {
		wg.Go(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		testenv.Eventually(t, "the store takes no more", func() bool {
			_, err := st.NeuronInsert(left, neuron("nobody waits for it"))
			return errors.Is(err, model.ErrUnavailable)
		})
	})
	wg.Wait()
	for i, err := range outcomes {
		if err != nil {
			t.Errorf("write %d, which was queued before the end: %v", i, err)
		}
	}
}

func TestCloseAnswersWriters(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path})
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		acked = map[string]bool{}
	)
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acked) }
	for w := range 50 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("w%02d-%05d", w, i)
				var err error
				if w%5 == 0 {
					err = st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
						_, err := tx.NeuronInsert(ctx, neuron(id))
						return err
					})
				} else {
					err = insert(t, st, id)
				}
				if err != nil {
					if !errors.Is(err, model.ErrUnavailable) {
						t.Errorf("%s: %v, want %v", id, err, model.ErrUnavailable)
					}
					return
				}
				mu.Lock()
				acked[id] = true
				mu.Unlock()
			}
		})
	}
	testenv.Eventually(t, "writes are under way", func() bool { return count() > 200 })
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	again := openStore(t, sqlite.Config{Path: path})
	stored, err := again.NeuronList(t.Context(), model.NeuronListParams{AfterID: "w", PageLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != len(acked) {
		t.Errorf("%d are stored and %d were acknowledged", len(stored), len(acked))
	}
	for _, n := range stored {
		if !acked[n.ID] {
			t.Errorf("%s is stored and its writer was told that it is not", n.ID)
		}
	}
}
