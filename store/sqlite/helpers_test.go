package sqlite_test

import (
	"cmp"
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// openStore opens a migrated store. prepare runs on the connection that will write.
func openStore(t *testing.T, cfg sqlite.Config, prepare ...string) *sqlite.Store {
	t.Helper()
	// The race detector slows SQLite down by an order of magnitude.
	cfg.AcquireTimeout = cmp.Or(cfg.AcquireTimeout, time.Minute)
	cfg.StatementTimeout = cmp.Or(cfg.StatementTimeout, time.Minute)
	handle, err := sqlite.OpenHandle(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Migrate(t.Context(), handle.DB(), schema.SQLite); err != nil {
		t.Fatal(errors.Join(err, handle.Close()))
	}
	for _, statement := range prepare {
		if _, err := handle.DB().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(errors.Join(err, handle.Close()))
		}
	}
	st, err := handle.Store(t.Context())
	if err != nil {
		t.Fatal(errors.Join(err, handle.Close()))
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return st
}

// neighbour opens the file as another process would.
func neighbour(t *testing.T, path string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func execute(t *testing.T, conn *sql.Conn, statement string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func wholeFile(t *testing.T, conn *sql.Conn) {
	t.Helper()
	var verdict string
	if err := conn.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("the file is %q (%v)", verdict, err)
	}
}

func neuron(id string) model.NeuronInsertParams {
	return model.NeuronInsertParams{
		ID: id, Layer: "L1", Settings: model.EmptyObject(), State: model.StateIdle, Condition: model.ConditionRunning, CreatedAt: time.Now(),
	}
}

// commits counts the transactions in the write-ahead log
// (https://www.sqlite.org/fileformat2.html#the_write_ahead_log): the frames that end
// one bear the size of the database after it.
func commits(t *testing.T, path string) int {
	t.Helper()
	const headerSize, frameHeaderSize = 32, 24
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	pageSize := int(binary.BigEndian.Uint32(wal[8:]))
	salts := string(wal[16:24])
	count := 0
	for at := headerSize; at+frameHeaderSize+pageSize <= len(wal); at += frameHeaderSize + pageSize {
		frame := wal[at:]
		if string(frame[8:16]) != salts {
			break // left over from before the log was begun anew
		}
		if binary.BigEndian.Uint32(frame[4:]) != 0 {
			count++
		}
	}
	return count
}
