package main

import (
	"encoding/json"
	"fmt"
	"io"
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
