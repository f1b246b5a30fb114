package main

import (
	"strings"
	"testing"
)

// Each figure that grows, or falls, beyond its bound shows.
func TestJudge(t *testing.T) {
	t.Parallel()
	first := Sample{RSS: 100, Live: 15, Heap: 20, Goroutines: 30, Descriptors: 40, PoolConnections: 3, P50: 1, P99: 10, Rate: 500}
	if err := verdict(judge([]Sample{first, first})); err != nil {
		t.Error(err)
	}
	for figure, change := range map[string]func(*Sample){
		"RSS":              func(s *Sample) { s.RSS *= 2 },
		"live heap":        func(s *Sample) { s.Live *= 1.4 },
		"heap in use":      func(s *Sample) { s.Heap *= 2 },
		"goroutines":       func(s *Sample) { s.Goroutines += 100 },
		"open descriptors": func(s *Sample) { s.Descriptors += 100 },
		"pool connections": func(s *Sample) { s.PoolConnections = 21 },
		"p50":              func(s *Sample) { s.P50 = 100 },
		"p99":              func(s *Sample) { s.P99 = 1000 },
		"requests":         func(s *Sample) { s.Rate = 100 },
		"failed":           func(s *Sample) { s.FailedShare = 0.1 },
	} {
		last := first
		change(&last)
		err := verdict(judge([]Sample{first, last}))
		if err == nil || !strings.Contains(err.Error(), figure) || strings.Contains(err.Error(), ";") {
			t.Errorf("%s: %v", figure, err)
		}
	}
}

func TestReadMetrics(t *testing.T) {
	t.Parallel()
	got, err := readMetrics(strings.NewReader("# HELP a x\na 1.5e3\nb{c=\"d\"} 2\ne 0\n"))
	if err != nil || len(got) != 2 || got["a"] != 1500 {
		t.Errorf("got %v, %v", got, err)
	}
}
