package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/model"
)

// sample is one operation at one size.
type sample struct {
	series    string
	size      int
	operation string
	rounds    []time.Duration // the median of each round
}

// median is that of the rounds' medians.
func (s sample) median() time.Duration { return quantile(s.rounds, 0.5) }

// quantile does not interpolate.
func quantile[T time.Duration | float64](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// measured is the median of one operation in one round.
type measured struct {
	operation string
	median    time.Duration
}

// measure times operations, one after the other: rows of the same, so that each finds
// what the one before left in the processor's caches as it does under load, and rows in
// turns, so that a slow moment of the machine meets all of them.
func (s *subject) measure(series string, p plan) ([]measured, error) {
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
	medians := make([]measured, len(operations))
	for i, o := range operations {
		medians[i] = measured{o.name, quantile(times[i], 0.5)}
	}
	return medians, nil
}

// note adds a round to the samples.
func note(samples []sample, series string, size int, medians []measured) []sample {
	for _, m := range medians {
		i := slices.IndexFunc(samples, func(s sample) bool { return s.size == size && s.operation == m.operation })
		if i < 0 {
			i, samples = len(samples), append(samples, sample{series: series, size: size, operation: m.operation})
		}
		samples[i].rounds = append(samples[i].rounds, m.median)
	}
	return samples
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
		{"get a signal", func() error { return s.get(s.some) }},
		{"get a new signal", func() error { return s.get(s.newest) }},
		{"trace of a new signal", func() error {
			id := s.newest[rand.IntN(len(s.newest))] //nolint:gosec // not a secret
			at, _ := model.IDTime(id)
			_, err := s.store.SignalListByReference(s.ctx, model.SignalListByReferenceParams{Reference: id, Since: at.AddDate(0, 0, -30), PageLimit: pageRows})
			return err
		}},
		{"list 50", func() error {
			_, err := s.store.SignalList(s.ctx, model.SignalListParams{
				Since: time.Now().AddDate(-20, 0, 0), Until: model.MaxTime(), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: pageRows,
			})
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

func (s *subject) get(ids []uuid.UUID) error {
	id := ids[rand.IntN(len(ids))] //nolint:gosec // not a secret
	at, _ := model.IDTime(id)
	_, err := s.store.SignalGet(s.ctx, model.SignalGetParams{ID: id, Timestamp: at})
	return err
}

func (s *subject) anyNeuron() string {
	return "grown-" + strconv.Itoa(rand.IntN(s.neurons)) //nolint:gosec // not a secret
}

// writeServer tells what the figures depend on, since memory that does not hold the data
// is what a look-up among many pays for.
func writeServer(ctx context.Context, w io.Writer, url string) error {
	if !strings.HasPrefix(url, "postgres") {
		return nil
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var version, buffers string
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('shared_buffers')").Scan(&version, &buffers); err != nil {
		return fmt.Errorf("ask for the server's settings: %w", err)
	}
	if _, err := fmt.Fprintf(w, "PostgreSQL %s, shared_buffers %s\n\n", version, buffers); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return nil
}

// writeTable shows the median of the rounds' medians; and of the ratios of each round to
// that of the smallest size, the median, the least and the greatest.
func writeTable(w io.Writer, samples []sample) error {
	first := map[[2]string]sample{}
	if _, err := fmt.Fprintf(w, "%-12s %10s  %-22s %10s %7s  %s\n", "growing", "size", "operation", "median", "ratio", "of rounds"); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	for _, s := range samples {
		key := [2]string{s.series, s.operation}
		if _, ok := first[key]; !ok {
			first[key] = s
		}
		ratios := make([]float64, len(s.rounds))
		for i := range ratios {
			ratios[i] = float64(s.rounds[i]) / float64(first[key].rounds[i])
		}
		if _, err := fmt.Fprintf(w, "%-12s %10d  %-22s %7.0f µs %7.2f  %.2f to %.2f\n", s.series, s.size, s.operation,
			float64(s.median().Nanoseconds())/1000, quantile(ratios, 0.5), slices.Min(ratios), slices.Max(ratios)); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	return nil
}
