package server

import (
	"slices"

	"github.com/hal9-ai/hal9/model"
)

// Contents have up to 1 MiB, and a page up to a thousand rows: a page that is bounded by
// rows alone would be a gigabyte, which any reader could ask for, several times at once.
const (
	// maxPageBytes is Server.pageBytes, which bounds the texts of one page; the row that goes
	// beyond begins the next.
	maxPageBytes = 8 << 20
	// pageStep is how many rows are read at once. The default page takes one reading, and
	// the longest one is in memory before its size is known.
	pageStep = 100
)

// readPage reads the rows of a page: up to limit, fewer where size tells that they are
// longer than mostBytes, and one more if there are more. It returns how many of them are the page. read
// returns up to so many rows after a row, or from the beginning for nil.
func readPage[R any](limit, mostBytes int, size func(*R) int, read func(after *R, most int) ([]R, error)) (rows []R, shown int, err error) {
	bytes := 0
	for {
		most := min(limit+1-len(rows), pageStep+1)
		var after *R
		if len(rows) > 0 {
			after = &rows[len(rows)-1]
		}
		step, err := read(after, most)
		if err != nil {
			return nil, 0, err
		}
		fit := fitting(step, size, &bytes, mostBytes)
		if fit == 0 && len(rows) == 0 {
			fit = min(1, len(step)) // a row that is longer than a page has one to itself
		}
		if fit < len(step) {
			shown, step = len(rows)+fit, step[:fit+1]
		}
		if len(rows) == 0 {
			rows = slices.Clip(step) // the cache may hold it, and nothing may be written behind it
		} else {
			rows = append(rows, step...)
		}
		switch {
		case shown > 0:
			return rows, shown, nil
		case len(step) < most || len(rows) > limit:
			return rows, limit, nil
		}
	}
}

// fitting is how many of the rows fit into what bytes leaves of a page of most.
func fitting[R any](rows []R, size func(*R) int, bytes *int, most int) int {
	for i := range rows {
		if *bytes += size(&rows[i]); *bytes > most {
			return i
		}
	}
	return len(rows)
}

func signalBytes(r *model.Signal) int { return len(r.Content) + len(r.Metadata) }

func memoryBytes(r *model.Memory) int { return len(r.Content) + len(r.Context) + len(r.Metadata) }

func neuronBytes(r *model.Neuron) int { return len(r.SystemPrompt) + len(r.Settings) }
