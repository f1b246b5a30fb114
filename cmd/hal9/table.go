package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// columnGap stands between columns.
const columnGap = 2

// writeTable writes columns that stand below each other; the first row is the head. On
// a terminal that is too narrow for a row each becomes a block with one field a line:
// wrapped rows cannot be read.
func writeTable(w io.Writer, rows [][]string) error {
	rows = printable(rows)
	widths := columnWidths(rows)
	total := columnGap * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	if width := terminalWidth(w); width == 0 || total <= width {
		return writeColumns(w, rows, widths)
	}
	var b strings.Builder
	for n, row := range rows[1:] {
		if n > 0 {
			b.WriteByte('\n')
		}
		fields := make([][]string, len(row))
		for i, cell := range row {
			fields[i] = []string{strings.ToLower(rows[0][i]), cell}
		}
		if err := writeColumns(&b, fields, columnWidths(fields)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // the caller says what was written
}

// writeFields writes the fields of one thing, each a name and a value.
func writeFields(w io.Writer, fields [][]string) error {
	fields = printable(fields)
	return writeColumns(w, fields, columnWidths(fields))
}

// terminalWidth is how many signs a line of the terminal has; 0 is no terminal.
func terminalWidth(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// printable replaces what could steer a terminal or break a row: imported names may
// hold anything.
func printable(rows [][]string) [][]string {
	clean := make([][]string, len(rows))
	for i, row := range rows {
		clean[i] = make([]string, len(row))
		for j, cell := range row {
			clean[i][j] = strings.Map(func(r rune) rune {
				if !unicode.IsPrint(r) {
					return unicode.ReplacementChar
				}
				return r
			}, cell)
		}
	}
	return clean
}

// columnWidths are in cells of the terminal, of which some signs take two.
func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	return widths
}

func writeColumns(w io.Writer, rows [][]string, widths []int) error {
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+columnGap))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // the caller says what was written
}
