package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Setting is one printed key. Where a URL holds a password, Value is masked.
type Setting struct {
	Key    string     `json:"key"`
	Value  any        `json:"value"`
	Source SourceKind `json:"source"`
	Where  string     `json:"where,omitempty"`
}

// Settings returns every key with its value and source, secrets masked.
func (c *Config) Settings() []Setting {
	table := keyTable()
	settings := make([]Setting, len(table))
	for i, k := range table {
		source := c.Source(k.Name)
		settings[i] = Setting{Key: k.Name, Value: c.shown(&k), Source: source.Kind, Where: source.Where}
	}
	return settings
}

// shown returns a value fit for JSON: numbers as they are, all else as text.
func (c *Config) shown(k *Key) any {
	v := c.value(k.Name)
	switch {
	case k.Hidden && format(v) != "":
		return mask
	case k.Secret:
		if list, ok := v.(List); ok {
			urls := list.Items()
			for i := range urls {
				urls[i] = MaskURL(urls[i])
			}
			return strings.Join(urls, ", ")
		}
		return MaskURL(format(v))
	case k.Type == TypeInteger || k.Type == TypeFraction || k.Type == TypeBoolean:
		return v
	default:
		return format(v)
	}
}

// Print writes every key with its value and source as a table, secrets masked.
func (c *Config) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(t, "KEY\tVALUE\tSOURCE"); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	for _, s := range c.Settings() {
		where := s.Where
		if where == "" {
			where = string(s.Source)
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\n", s.Key, printable(format(s.Value)), printable(where)); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// PrintJSON writes what Print writes as one JSON object, with the warnings.
func (c *Config) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	warnings := c.Warnings()
	if warnings == nil {
		warnings = []string{}
	}
	err := e.Encode(struct {
		Settings []Setting `json:"settings"`
		Warnings []string  `json:"warnings"`
	}{c.Settings(), warnings})
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// printable quotes what would upset a table or a terminal, and shows emptiness.
func printable(text string) string {
	if text == "" {
		return "-"
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
