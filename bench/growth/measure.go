package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// sample is the median of one operation at one size.
type sample struct {
	series    string
	size      int
	operation string
	median    time.Duration
}

// measure times operations, one after the other: rows of the same, so that each finds
// what the one before left in the processor's caches as it does under load, and rows in
// turns, so that a slow moment of the machine meets all of them.
func (s *subject) measure(series string, size int, p plan) ([]sample, error) {
	operations := s.operations(series)
	times := make([][]time.Duration, len(operations))
	for done := 0; done < p.repeat; done += p.row {
		for i, o := range operations {
			for range min(p.row, p.repeat-done) {
				began := time.Now()
				if err := o.run(); err != nil {
					return nil, fmt.Errorf("%s: %w", o.name, err)
				}
				times[i] = append(times[i], time.Since(began))
			}
		}
	}
	samples := make([]sample, len(operations))
	for i, o := range operations {
		slices.Sort(times[i])
		samples[i] = sample{series, size, o.name, times[i][len(times[i])/2]}
	}
	return samples, nil
}

type operation struct {
	name string
	run  func() error
}

func (s *subject) operations(series string) []operation {
	const pageRows = 50
	if series == "neurons" {
		return []operation{
			{"get a neuron", func() error {
				_, err := s.store.NeuronGet(s.ctx, model.NeuronGetParams{ID: s.anyNeuron()})
				return err
			}},
			{"list 50 neurons", func() error {
				_, err := s.store.NeuronList(s.ctx, model.NeuronListParams{AfterID: s.anyNeuron(), PageLimit: pageRows})
				return err
			}},
		}
	}
	return []operation{
		{"insert a signal", func() error {
			_, err := s.store.SignalInsert(s.ctx, s.signal(time.Now()))
			return err
		}},
		{"get a signal", func() error {
			id := s.some[rand.IntN(len(s.some))] //nolint:gosec // not a secret
			at, _ := model.IDTime(id)
			_, err := s.store.SignalGet(s.ctx, model.SignalGetParams{ID: id, Timestamp: at})
			return err
		}},
		{"list 50 of a neuron", func() error {
			_, err := s.store.SignalListByNeuron(s.ctx, model.SignalListByNeuronParams{
				NeuronID: "neuron-" + strconv.Itoa(rand.IntN(1000)), Since: time.Now().AddDate(-20, 0, 0), Until: model.MaxTime(), //nolint:gosec // not a secret
				CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: pageRows,
			})
			return err
		}},
	}
}

func (s *subject) anyNeuron() string {
	return "grown-" + strconv.Itoa(rand.IntN(s.neurons)) //nolint:gosec // not a secret
}

// writeTable shows each median, and its ratio to that of the smallest size.
func writeTable(w io.Writer, samples []sample) error {
	first := map[[2]string]time.Duration{}
	if _, err := fmt.Fprintf(w, "%-12s %10s  %-22s %10s %7s\n", "growing", "size", "operation", "median", "ratio"); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	for _, s := range samples {
		key := [2]string{s.series, s.operation}
		if first[key] == 0 {
			first[key] = s.median
		}
		if _, err := fmt.Fprintf(w, "%-12s %10d  %-22s %7.0f µs %7.2f\n", s.series, s.size, s.operation,
			float64(s.median.Nanoseconds())/1000, float64(s.median)/float64(first[key])); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	return nil
}
