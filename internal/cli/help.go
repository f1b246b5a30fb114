package cli

import (
	"fmt"
	"go/doc/comment"
	"io"
	"strings"
)

const (
	gap    = 4  // spaces between two columns
	widest = 30 // a left column that is wider stands on a line of its own
)

// Usage returns a flag as it is given: --name or --name=VALUE.
func (f *Flag) Usage() string {
	if f.Bool {
		return "--" + f.Name
	}
	return "--" + f.Name + "=" + f.Value()
}

// Value returns what stands for a flag's value.
func (f *Flag) Value() string {
	text := f.Placeholder
	if text == "" {
		text = strings.ToUpper(f.Name)
	}
	if f.Many {
		text += ",..."
	}
	return text
}

// Usage returns an argument as it is given.
func (a *Argument) Usage() string {
	text := "<" + a.Name + ">"
	if a.Many {
		text += " ..."
	}
	if a.Optional {
		text = "[" + text + "]"
	}
	return text
}

// WriteHelp writes what a command is and takes, in lines of at most width letters where
// words allow it.
func (c *Command) WriteHelp(w io.Writer, width int) error {
	var b strings.Builder
	b.WriteString("Usage: " + c.Path())
	for _, a := range c.Arguments {
		b.WriteString(" " + a.Usage())
	}
	if len(c.Children) > 0 {
		b.WriteString(" <command>")
	}
	for _, f := range c.Flags {
		if f.Required {
			b.WriteString(" " + f.Usage())
		}
	}
	if len(c.Flags) > 0 {
		b.WriteString(" [flags]")
	}
	b.WriteString("\n")
	for _, text := range []string{c.Help, c.Detail} {
		if text != "" {
			b.WriteString("\n" + paragraphs(text, "", width))
		}
	}
	if len(c.Arguments) > 0 {
		rows := make([][2]string, len(c.Arguments))
		for i, a := range c.Arguments {
			rows[i] = [2]string{a.Usage(), a.Help}
		}
		columns(&b, "Arguments:", rows, width)
	}
	c.helpFlags(&b, width)
	if len(c.Children) > 0 {
		_, words, _ := strings.Cut(c.Path()+" ", " ")
		columns(&b, "Commands:", c.helpCommands(nil, words), width)
		fmt.Fprintf(&b, "\nRun '%s <command> --help' for what one takes.\n", c.Path())
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the help: %w", err)
	}
	return nil
}

func (c *Command) helpFlags(b *strings.Builder, width int) {
	groups, order := map[string][][2]string{}, []string{""}
	groups[""] = [][2]string{{"-h, --help", "Show this help."}}
	for _, f := range c.Flags {
		if f.Hidden {
			continue
		}
		if groups[f.Group] == nil {
			order = append(order, f.Group)
		}
		groups[f.Group] = append(groups[f.Group], [2]string{f.Usage(), f.Help})
	}
	for _, group := range order {
		title := group + ":"
		if group == "" {
			title = "Flags:"
		}
		columns(b, title, groups[group], width)
	}
}

func (c *Command) helpCommands(rows [][2]string, before string) [][2]string {
	for _, child := range c.Children {
		switch {
		case child.Hidden:
		case len(child.Children) > 0:
			rows = child.helpCommands(rows, before+child.Name+" ")
		default:
			rows = append(rows, [2]string{before + child.Name, child.Help})
		}
	}
	return rows
}

// columns writes a title and rows of two columns below it.
func columns(b *strings.Builder, title string, rows [][2]string, width int) {
	left := 0
	for _, row := range rows {
		if len(row[0]) <= widest {
			left = max(left, len(row[0]))
		}
	}
	indent := strings.Repeat(" ", 2+left+gap)
	fmt.Fprintf(b, "\n%s\n", title)
	for _, row := range rows {
		right := strings.TrimLeft(paragraphs(row[1], indent, width), " ")
		if len(row[0]) > left {
			fmt.Fprintf(b, "  %s\n%s", row[0], indent)
		} else {
			fmt.Fprintf(b, "  %-*s", left+gap, row[0])
		}
		b.WriteString(right)
	}
}

// paragraphs breaks the lines of a text as go doc does, which leaves examples alone.
func paragraphs(text, indent string, width int) string {
	var parser comment.Parser
	printer := comment.Printer{TextPrefix: indent, TextCodePrefix: indent + "    ", TextWidth: width - len(indent)}
	return string(printer.Text(parser.Parse(text)))
}
