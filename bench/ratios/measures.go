package main

import (
	"fmt"
	"strings"
)

// measure is one kind of load, put on several servers; the first side is the service.
type measure struct {
	name  string
	users int
	sides []side
}

// side is a server and the journeys that it gets.
type side struct {
	server   string
	scenario string // the part of a scenario behind its stages, or the name of one
}

// The names of the servers.
const (
	hello, ginPgx, ginSQLite         = "bare gin", "gin + pgx", "gin + SQLite"
	ours, oursSQLite, oursWithoutHit = "hal9, PostgreSQL + Valkey", "hal9, SQLite", "hal9, PostgreSQL, nearly no hits"
)

const (
	postSignal = `
choose:
  layer: [L4, L3, L2]
  neuron: [strategic-planner, task-analyzer, executor]
journeys:
  - name: signal
    weight: 1
    steps:
      - call: POST signal
        path: %s
        body: '{"content":"Test signal {iteration} of user {user}","layer":"{layer}","neuron_id":"{neuron}"}'
        checks: [{status: 200}]
`
	get = `
journeys:
  - name: get
    weight: 1
    steps:
      - call: GET
        path: %s
        checks: [{status: 200}]
`
	mix = "peak"
)

func measures(ids []string) []measure {
	post, postHello := fmt.Sprintf(postSignal, "/api/v1/signal"), fmt.Sprintf(postSignal, "/hello")
	getHello := fmt.Sprintf(get, "/hello")
	neuron := fmt.Sprintf(get, "/api/v1/neurons/neuron-l4")
	signal := "choose:\n  id: [" + strings.Join(ids, ", ") + "]" + fmt.Sprintf(get, "/api/v1/signals/{id}")
	return []measure{
		{"POST signal, 1000 connections", 1000, []side{{ours, post}, {hello, postHello}, {ginPgx, post}}},
		{"POST signal, 64 connections", 64, []side{{ours, post}, {hello, postHello}, {ginPgx, post}}},
		{"POST signal on SQLite, 1000 connections", 1000, []side{{oursSQLite, post}, {ginSQLite, post}}},
		{"GET neuron, cached, 64 connections", 64, []side{{ours, neuron}, {hello, getHello}}},
		{"GET signal by id, 64 connections", 64, []side{{oursWithoutHit, signal}, {ginPgx, signal}}},
		{"the mix, 1000 connections", 1000, []side{{ours, mix}, {hello, getHello}}},
	}
}
