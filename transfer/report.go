package transfer

import (
	"slices"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// maxListed bounds how many skipped rows of a table a report names; all are counted.
const maxListed = 1000

// Report tells what became of a file.
type Report struct {
	File        string `json:"file"`
	Variant     string `json:"variant"`
	Description string `json:"description"`
	DryRun      bool   `json:"dry_run"`
	// Engine is that of the store, "" when a dry run had none.
	Engine string         `json:"engine"`
	Tables []*TableReport `json:"tables"`
	// NotImported are tables of the file that this service has no place for.
	NotImported []LeftTable `json:"not_imported"`
	// Epoch is the database's new cache epoch, 0 if nothing was written.
	Epoch int64 `json:"epoch"`
	// PartitionsMade counts the months that were made for the signals.
	PartitionsMade int     `json:"partitions_made"`
	Seconds        float64 `json:"seconds"`
	RowsPerSecond  float64 `json:"rows_per_second"`
}

// LeftTable is a table that stays behind.
type LeftTable struct {
	Table string `json:"table"`
	Rows  *int64 `json:"rows"` // nil if they cannot be counted
}

// TableReport tells what became of one table: Read is the sum of Written,
// AlreadyThere and Skipped. In a dry run Written is what would be written.
type TableReport struct {
	Table        string `json:"table"`
	Read         int64  `json:"read"`
	Written      int64  `json:"written"`
	AlreadyThere int64  `json:"already_there"`
	Skipped      int64  `json:"skipped"`
	// SkippedBecause and Adapted count rows by reason, the most frequent first.
	SkippedBecause []ReasonCount `json:"skipped_because"`
	Adapted        []ReasonCount `json:"adapted"`
	// Fields tell what became of each column's values, in the order of the file.
	Fields []FieldReport `json:"fields"`
	// SkippedRows names the first 1,000 skipped rows.
	SkippedRows []SkippedRow `json:"skipped_rows"`
}

// ReasonCount is how often something happened.
type ReasonCount struct {
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
}

// SkippedRow is a row that was not imported.
type SkippedRow struct {
	RowID  any    `json:"rowid"` // null in a table without
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

func newReport(s *Source, store model.Store, dryRun bool) *Report {
	r := &Report{
		File: s.path, Variant: s.found.name, Description: s.found.describe, DryRun: dryRun,
		Tables: []*TableReport{}, NotImported: s.left,
	}
	if r.NotImported == nil {
		r.NotImported = []LeftTable{}
	}
	if store != nil {
		r.Engine = store.Engine()
	}
	for _, st := range s.found.steps {
		r.Tables = append(r.Tables, &TableReport{
			Table: st.table(), SkippedBecause: []ReasonCount{}, Adapted: []ReasonCount{}, SkippedRows: []SkippedRow{},
		})
	}
	return r
}

// table returns the report of a table that is imported.
func (r *Report) table(name string) *TableReport {
	i := slices.IndexFunc(r.Tables, func(t *TableReport) bool { return t.Table == name })
	return r.Tables[i]
}

func (r *Report) written() int64 {
	var n int64
	for _, t := range r.Tables {
		n += t.Written
	}
	return n
}

// Skipped is how many rows of all tables were not imported.
func (r *Report) Skipped() int64 {
	var n int64
	for _, t := range r.Tables {
		n += t.Skipped
	}
	return n
}

func (r *Report) finish(took time.Duration) {
	var read int64
	for _, t := range r.Tables {
		read += t.Read
		sortCounts(t.Adapted)
		sortCounts(t.SkippedBecause)
		for i := range t.Fields {
			t.Fields[i].sort()
		}
	}
	r.Seconds = took.Seconds()
	if took > 0 {
		r.RowsPerSecond = float64(read) / took.Seconds()
	}
}

func sortCounts(counts []ReasonCount) {
	slices.SortFunc(counts, func(a, b ReasonCount) int {
		if a.Rows != b.Rows {
			return int(b.Rows - a.Rows)
		}
		return strings.Compare(a.Reason, b.Reason)
	})
}

// settle counts a row that was handed to the store.
func (t *TableReport) settle(rowid any, label string, notes []string, o *outcome) {
	switch o.fate {
	case refused:
		reason := o.reason
		if reason == "" {
			reason = "the database refused it"
		}
		t.skip(rowid, label, &skip{reason, o.detail})
		return
	case present:
		t.AlreadyThere++
	case written:
		t.Written++
	}
	for _, n := range notes {
		t.Adapted = count(t.Adapted, n)
	}
	if o.note != "" {
		t.Adapted = count(t.Adapted, o.note)
	}
}

func (t *TableReport) skip(rowid any, label string, why *skip) {
	t.Skipped++
	t.SkippedBecause = count(t.SkippedBecause, why.reason)
	if len(t.SkippedRows) < maxListed {
		t.SkippedRows = append(t.SkippedRows, SkippedRow{RowID: rowid, ID: label, Reason: why.Error()})
	}
}

func count(counts []ReasonCount, reason string) []ReasonCount {
	for i := range counts {
		if counts[i].Reason == reason {
			counts[i].Rows++
			return counts
		}
	}
	return append(counts, ReasonCount{reason, 1})
}
