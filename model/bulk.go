package model

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// IndexedSignal is a row of a bulk insert with its place in the call.
type IndexedSignal struct {
	SignalInsertParams
	Index int
}

// PrepareSignals checks and normalises the rows of a bulk insert as a single insert
// would. It returns those that can be tried, and a result that names the bad rows
// and the repeated ones.
func PrepareSignals(signals []SignalInsertParams) ([]IndexedSignal, BulkResult) {
	type key struct {
		id uuid.UUID
		at time.Time
	}
	var result BulkResult
	batch := make([]IndexedSignal, 0, len(signals))
	// Ids that rise, as those do that one generator made, cannot repeat.
	rising := idsRise(signals)
	seen := map[key]struct{}{}
	for i := range signals {
		row := IndexedSignal{SignalInsertParams: signals[i], Index: i}
		if err := row.Normalize(); err != nil {
			result.Failed = append(result.Failed, RowError{Index: i, Err: err})
			continue
		}
		if !rising {
			k := key{row.ID, row.Timestamp}
			if _, again := seen[k]; again {
				result.Duplicates = append(result.Duplicates, i)
				continue
			}
			seen[k] = struct{}{}
		}
		batch = append(batch, row)
	}
	return batch, result
}

// idsRise tells whether each id is greater than the one before it.
func idsRise(signals []SignalInsertParams) bool {
	for i := 1; i < len(signals); i++ {
		if bytes.Compare(signals[i-1].ID[:], signals[i].ID[:]) >= 0 {
			return false
		}
	}
	return true
}

// Sort puts the indexes into ascending order.
func (r *BulkResult) Sort() {
	slices.Sort(r.Duplicates)
	slices.SortFunc(r.Failed, func(a, b RowError) int { return cmp.Compare(a.Index, b.Index) })
}
