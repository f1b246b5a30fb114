// Ginpgx is gin and a pgx pool, one statement a request:
//
//	ginpgx 127.0.0.1:8092 postgres://user@host/database
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/bench/baseline"
)

const (
	insert = `INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	get = `SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals WHERE id = $1 AND timestamp = $2`
	neuron = `SELECT id, layer, state FROM neurons WHERE id = $1`
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: ginpgx 127.0.0.1:8092 postgres://user@host/database")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "ginpgx:", err)
		os.Exit(1)
	}
}

func run(address, url string) error {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("read the URL: %w", err)
	}
	cfg.MaxConns = 20 // as many as the service's pool has by default
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return fmt.Errorf("open the pool: %w", err)
	}
	defer pool.Close()
	engine := baseline.Engine()
	engine.POST("/api/v1/signal", func(c *gin.Context) { store(c, pool) })
	engine.GET("/api/v1/signals/:id", func(c *gin.Context) { read(c, pool) })
	engine.GET("/api/v1/neurons/:id", func(c *gin.Context) { readNeuron(c, pool) })
	return baseline.Serve(address, engine)
}

func store(c *gin.Context, pool *pgxpool.Pool) {
	var in baseline.SignalIn
	if err := c.ShouldBindJSON(&in); err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	s, err := baseline.NewSignal(in)
	if err == nil {
		_, err = pool.Exec(c.Request.Context(), insert, s.ID, s.FromNeuron, s.ToNeuron, s.LayerFrom, s.LayerTo,
			s.PropagationType, s.Content, s.Metadata, s.Timestamp)
	}
	if err != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.JSON(http.StatusOK, baseline.Stored(s.ID))
}

func read(c *gin.Context, pool *pgxpool.Pool) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	var s baseline.Signal
	err = pool.QueryRow(c.Request.Context(), get, id, baseline.TimeOf(id)).Scan(&s.ID, &s.FromNeuron, &s.ToNeuron,
		&s.LayerFrom, &s.LayerTo, &s.PropagationType, &s.Content, &s.Metadata, &s.Timestamp)
	answer(c, s, err)
}

func readNeuron(c *gin.Context, pool *pgxpool.Pool) {
	var n struct {
		ID    string `json:"id"`
		Layer string `json:"layer"`
		State string `json:"state"`
	}
	err := pool.QueryRow(c.Request.Context(), neuron, c.Param("id")).Scan(&n.ID, &n.Layer, &n.State)
	answer(c, n, err)
}

func answer(c *gin.Context, v any, err error) {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		c.Status(http.StatusNotFound)
	case err != nil:
		c.Status(http.StatusInternalServerError)
	default:
		c.JSON(http.StatusOK, baseline.Envelope{Success: true, Data: v})
	}
}
