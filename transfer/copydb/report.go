package copydb

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Progress tells how far a copy is.
type Progress struct {
	Phase string // "copying", "catching up", "comparing", "writing", "checking"
	Table string
	Done  int64 // rows
	Total int64 // rows of all tables, as counted at the beginning
}

// TableReport tells what became of a table.
type TableReport struct {
	Table string `json:"table"`
	// Copied counts the rows of the first pass, those of runs before among them.
	Copied int64 `json:"copied"`
	// Changed counts rows that were written or deleted to catch up.
	Changed    int64 `json:"changed"`
	Refused    int64 `json:"refused"`
	SourceRows int64 `json:"source_rows"`
	TargetRows int64 `json:"target_rows"`
	// Equal, Different (other values under the same key), Missing in the target and
	// Extra there count what the comparison found.
	Equal     int64 `json:"equal"`
	Different int64 `json:"different"`
	Missing   int64 `json:"missing"`
	Extra     int64 `json:"extra"`
}

// Difference is a row that the comparison found to differ.
type Difference struct {
	Table string `json:"table"`
	Key   string `json:"key"`
	// Kind is "different", "missing" (in the target) or "extra" (there).
	Kind    string   `json:"kind"`
	Columns []string `json:"columns,omitempty"`
}

// Report tells what a copy did. Under Refused and Differences the first thousand rows are
// listed; the counts of the tables count all.
type Report struct {
	From           string        `json:"from"`
	To             string        `json:"to"`
	Resumed        bool          `json:"resumed"`
	Tables         []TableReport `json:"tables"`
	Refused        []Refused     `json:"refused"`
	Differences    []Difference  `json:"differences"`
	PartitionsMade int           `json:"partitions_made"`
	// Passes counts how often a followed source was caught up with, the last one
	// behind the fence among them.
	Passes int `json:"passes"`
	// Epoch is the target's new one; 0 where nothing was copied.
	Epoch   int64 `json:"epoch"`
	Version int64 `json:"version"` // the target's counter of versions
	// Complete is whether the target holds all that the source could give.
	Complete bool `json:"complete"`
	// Compared is whether both sides were compared row by row.
	Compared       bool    `json:"compared"`
	CopySeconds    float64 `json:"copy_seconds"`
	RowsPerSecond  float64 `json:"rows_per_second"` // of the first pass
	SwitchSeconds  float64 `json:"switch_seconds"`  // from the fence to a complete target
	CompareSeconds float64 `json:"compare_seconds"`
	Seconds        float64 `json:"seconds"`
}

// How many rows a report lists: a database can refuse all of another one's.
const (
	mostDifferences = 1000
	mostRefused     = 1000
)

func (r *Report) table(t *Table) *TableReport {
	for i := range r.Tables {
		if r.Tables[i].Table == t.Name {
			return &r.Tables[i]
		}
	}
	r.Tables = append(r.Tables, TableReport{Table: t.Name})
	return &r.Tables[len(r.Tables)-1]
}

// Faults counts rows that were refused, and rows that differ.
func (r *Report) Faults() (refused, different int64) {
	for i := range r.Tables {
		t := &r.Tables[i]
		refused += t.Refused
		different += t.Different + t.Missing + t.Extra
	}
	return refused, different
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	const padding = 2
	tab := tabwriter.NewWriter(w, 0, 0, padding, ' ', tabwriter.AlignRight)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(tab, format, args...) } // Flush tells
	p("table\tcopied\tcaught up\trefused\t")
	if r.Compared {
		p("source\ttarget\tequal\tdifferent\tmissing\textra\t")
	}
	p("\n")
	for i := range r.Tables {
		t := &r.Tables[i]
		p("%s\t%d\t%d\t%d\t", t.Table, t.Copied, t.Changed, t.Refused)
		if r.Compared {
			p("%d\t%d\t%d\t%d\t%d\t%d\t", t.SourceRows, t.TargetRows, t.Equal, t.Different, t.Missing, t.Extra)
		}
		p("\n")
	}
	if err := tab.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return r.rest(w)
}

func (r *Report) rest(w io.Writer) error {
	var failed error
	p := func(format string, args ...any) {
		if _, err := fmt.Fprintf(w, format+"\n", args...); err != nil && failed == nil {
			failed = fmt.Errorf("write the report: %w", err)
		}
	}
	const shown = 20
	for i, f := range r.Refused {
		if i == shown {
			refused, _ := r.Faults()
			p("… and %d more refused rows: --json lists the first %d, --refused of hal9 copy writes them all", refused-shown, mostRefused)
			break
		}
		p("refused: %s %s: %s", f.Table, f.Key, f.Reason)
	}
	for i, d := range r.Differences {
		if i == shown {
			p("… and more that differ: --json lists the first %d", mostDifferences)
			break
		}
		p("%s: %s %s %v", d.Kind, d.Table, d.Key, d.Columns)
	}
	if r.Epoch > 0 {
		if r.CopySeconds > 0 {
			p("copied in %.1f s, %.0f rows/s", r.CopySeconds, r.RowsPerSecond)
		}
		if r.SwitchSeconds > 0 {
			p("the switch took %.2f s, after %d passes", r.SwitchSeconds, r.Passes)
		}
		p("the target's epoch is %d, its versions go on above %d", r.Epoch, r.Version)
	}
	if r.Compared {
		refused, different := r.Faults()
		if refused+different == 0 {
			p("compared row by row in %.1f s: the same", r.CompareSeconds)
		} else {
			p("compared row by row in %.1f s: %d rows differ, %d were refused", r.CompareSeconds, different, refused)
		}
	}
	return failed
}
