package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// Output is the part of a command that prints data: a text for people, or JSON for
// programs. A command embeds it.
type Output struct {
	JSON bool `help:"Write JSON." name:"json"`
}

// print writes data as JSON if that was asked for, otherwise what text writes.
func (o Output) print(w io.Writer, data any, text func(w io.Writer) error) error {
	if o.JSON {
		return writeJSON(w, data)
	}
	if err := text(w); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// line is print for a result of one sentence.
func (o Output) line(w io.Writer, data any, format string, args ...any) error {
	return o.print(w, data, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		return err //nolint:wrapcheck // print wraps it
	})
}

// writeJSON writes what a program reads.
func writeJSON(w io.Writer, data any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(data); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// writeTable writes columns that stand below each other; the first row is the head.
func writeTable(w io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				_, _ = io.WriteString(table, "\t") // Flush tells of a failure
			}
			_, _ = io.WriteString(table, cell)
		}
		_, _ = io.WriteString(table, "\n")
	}
	return table.Flush() //nolint:wrapcheck // the caller says what was written
}
