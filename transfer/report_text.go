package transfer

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Text writes the report for a person. Whatever comes from the file is quoted, so
// that it cannot steer a terminal.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: variant %s, %s\n", strconv.Quote(r.File), r.Variant, r.Description)
	verb := "written"
	if r.DryRun {
		verb = "to write"
		b.WriteString("Dry run: nothing was written.\n")
		if r.Engine == "" {
			b.WriteString("The database does not exist yet: no row counts as already there.\n")
		}
	}
	b.WriteByte('\n')
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "table\tread\t%s\talready there\tskipped\t\n", verb)
	for _, t := range r.Tables {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", t.Table, t.Read, t.Written, t.AlreadyThere, t.Skipped)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for _, t := range r.Tables {
		t.text(&b)
	}
	for _, t := range r.Tables {
		if err := t.fieldsText(&b); err != nil {
			return err
		}
	}
	if len(r.NotImported) > 0 {
		fmt.Fprintf(&b, "\nTables of the file that have no place here and stay behind: %s.\n", leftTables(r.NotImported))
	}
	if r.PartitionsMade > 0 {
		fmt.Fprintf(&b, "\nMonths made for the signals: %d.\n", r.PartitionsMade)
	}
	fmt.Fprintf(&b, "\n%.1f s, %.0f rows/s.\n", r.Seconds, r.RowsPerSecond)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (t *TableReport) text(b *strings.Builder) {
	if len(t.Adapted) > 0 {
		fmt.Fprintf(b, "\nAdapted in %s:\n", t.Table)
		for _, c := range t.Adapted {
			fmt.Fprintf(b, "  %d × %s\n", c.Rows, graphic(c.Reason))
		}
	}
	if t.Skipped == 0 {
		return
	}
	fmt.Fprintf(b, "\nSkipped in %s:\n", t.Table)
	for _, c := range t.SkippedBecause {
		fmt.Fprintf(b, "  %d × %s\n", c.Rows, graphic(c.Reason))
	}
	const most = 20
	for i, s := range t.SkippedRows {
		if i == most {
			fmt.Fprintf(b, "  … and %d more; --json names up to %d\n", t.Skipped-most, maxListed)
			break
		}
		fmt.Fprintf(b, "  row %s, id %s: %s\n", rowName(s.RowID), strconv.Quote(s.ID), graphic(s.Reason))
	}
}

// fieldsText writes what became of the values of each column.
func (t *TableReport) fieldsText(b *strings.Builder) error {
	if t.Read == 0 {
		return nil
	}
	fmt.Fprintf(b, "\nValues of %s:\n", t.Table)
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "column\tvalues\tas they are\tconverted\tkept elsewhere\talready there\tskipped\tNULL\t\n")
	for i := range t.Fields {
		f := &t.Fields[i]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", graphic(f.Column), f.Values, f.AsIs,
			sum(f.Converted), sum(f.KeptElsewhere), f.AlreadyThere, f.Skipped, f.Nulls)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for i := range t.Fields {
		f := &t.Fields[i]
		for _, c := range f.Converted {
			fmt.Fprintf(b, "  %s, %d × converted: %s\n", graphic(f.Column), c.Rows, graphic(c.Reason))
		}
		for _, c := range f.KeptElsewhere {
			fmt.Fprintf(b, "  %s, %d × kept elsewhere: %s\n", graphic(f.Column), c.Rows, graphic(c.Reason))
		}
	}
	return nil
}

func sum(counts []ReasonCount) int64 {
	var n int64
	for _, c := range counts {
		n += c.Rows
	}
	return n
}

func leftTables(tables []LeftTable) string {
	named := make([]string, len(tables))
	for i, t := range tables {
		rows := "rows that cannot be counted"
		if t.Rows != nil {
			rows = strconv.FormatInt(*t.Rows, 10) + " rows"
		}
		named[i] = strconv.Quote(t.Table) + " (" + rows + ")"
	}
	return strings.Join(named, ", ")
}

func rowName(rowid any) string {
	if rowid == nil {
		return "-"
	}
	return fmt.Sprint(rowid)
}

// graphic is a sentence of ours that may repeat a value of the file.
func graphic(s string) string {
	q := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
