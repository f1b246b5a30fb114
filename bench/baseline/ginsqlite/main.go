// Ginsqlite is gin and database/sql on SQLite, one transaction a write, each of which
// is on the disk before its answer:
//
//	ginsqlite 127.0.0.1:8093 hal9.db
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver

	"github.com/hal9-ai/hal9/bench/baseline"
)

const (
	insert = `INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	get = `SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata
FROM signals WHERE id = ? AND timestamp = ?`
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: ginsqlite 127.0.0.1:8093 hal9.db")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "ginsqlite:", err)
		os.Exit(1)
	}
}

// statements are prepared once: the writes' on one connection, since SQLite has one
// writer and waiting in line costs less than being refused.
type statements struct{ insert, get *sql.Stmt }

func run(address, file string) error {
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"}}
	dsn := "file:" + file + "?" + pragmas.Encode()
	writer, err := open(dsn, 1)
	if err != nil {
		return err
	}
	defer func() { _ = writer.Close() }()
	readers, err := open(dsn, 4)
	if err != nil {
		return err
	}
	defer func() { _ = readers.Close() }()
	var st statements
	if st.insert, err = writer.PrepareContext(context.Background(), insert); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if st.get, err = readers.PrepareContext(context.Background(), get); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	engine := baseline.Engine()
	engine.POST("/api/v1/signal", st.store)
	engine.GET("/api/v1/signals/:id", st.read)
	return baseline.Serve(address, engine)
}

func open(dsn string, connections int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func (st *statements) store(c *gin.Context) {
	var in baseline.SignalIn
	if err := c.ShouldBindJSON(&in); err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	s, err := baseline.NewSignal(in)
	if err == nil {
		_, err = st.insert.ExecContext(c.Request.Context(), s.ID.String(), s.FromNeuron, s.ToNeuron, s.LayerFrom, s.LayerTo,
			s.PropagationType, s.Content, string(s.Metadata), s.Timestamp.UnixMicro())
	}
	if err != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.JSON(http.StatusOK, baseline.Stored(s.ID))
}

func (st *statements) read(c *gin.Context) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	s := baseline.Signal{Timestamp: baseline.TimeOf(id)}
	var metadata string
	err = st.get.QueryRowContext(c.Request.Context(), id.String(), s.Timestamp.UnixMicro()).Scan(&s.ID, &s.FromNeuron,
		&s.ToNeuron, &s.LayerFrom, &s.LayerTo, &s.PropagationType, &s.Content, &metadata)
	s.Metadata = []byte(metadata)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		c.Status(http.StatusNotFound)
	case err != nil:
		c.Status(http.StatusInternalServerError)
	default:
		c.JSON(http.StatusOK, baseline.Envelope{Success: true, Data: s})
	}
}
