package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// ErrHelp says that the command line asks for the help of the command.
var ErrHelp = errors.New("help is asked for")

// UsageError is a command line that means nothing.
type UsageError struct {
	// Command is the one whose help the user should read.
	Command *Command

	text string
}

// Error implements error.
func (e *UsageError) Error() string { return e.text }

// Parse returns the command that the words after the program's name call, with the fields
// of its struct set. The error is ErrHelp if they ask for its help, a *UsageError otherwise.
func (c *Command) Parse(words []string) (*Command, error) {
	for len(c.Children) > 0 {
		if len(words) == 0 || strings.HasPrefix(words[0], "-") {
			if len(words) > 0 && asksForHelp(words[:1]) {
				return c, ErrHelp
			}
			if c.fallback != nil {
				return c.fallback.take(words)
			}
			if len(words) == 0 {
				return c, c.wrong("expected %s", c.someChildren())
			}
			name, _, _ := strings.Cut(words[0], "=")
			return c, c.wrong("unknown flag %s", name)
		}
		at := slices.IndexFunc(c.Children, func(child *Command) bool { return child.Name == words[0] })
		if at < 0 {
			if c.fallback != nil {
				return c.fallback.take(words)
			}
			return c, c.wrong("unexpected argument %s%s", words[0], suggestion(words[0], "", c.childNames()))
		}
		c, words = c.Children[at], words[1:]
	}
	return c.take(words)
}

// take reads the flags and arguments of a command that has no others below it.
func (c *Command) take(words []string) (*Command, error) {
	if asksForHelp(words) { // whatever else is wrong with them
		return c, ErrHelp
	}
	set := pflag.NewFlagSet(c.Name, pflag.ContinueOnError)
	set.Usage = func() {}
	for _, f := range c.Flags {
		pf := set.VarPF(pflagValue{f}, f.Name, "", "")
		if f.Bool {
			pf.NoOptDefVal = "true"
		}
	}
	if err := set.Parse(words); errors.Is(err, pflag.ErrHelp) { // --help=true
		return c, ErrHelp
	} else if err != nil {
		return c, c.explain(err)
	}
	if err := c.place(set.Args()); err != nil {
		return c, err
	}
	return c, c.agree()
}

func asksForHelp(words []string) bool {
	if end := slices.Index(words, "--"); end >= 0 {
		words = words[:end]
	}
	return slices.Contains(words, "--help") || slices.Contains(words, "-h")
}

// place gives the arguments their values.
func (c *Command) place(words []string) error {
	for _, a := range c.Arguments {
		if len(words) == 0 && !a.Optional {
			return c.wrong("expected \"<%s>\"", a.Name)
		}
		for first := true; len(words) > 0 && (first || a.Many); first = false {
			if err := a.value.set(words[0]); err != nil {
				return c.wrong("%s %v", a.Name, err)
			}
			words = words[1:]
		}
	}
	if len(words) > 0 {
		return c.wrong("unexpected argument %s", words[0])
	}
	return nil
}

// agree checks the flags that depend on each other.
func (c *Command) agree() error {
	var missing []string
	first := map[string]string{}
	for _, f := range c.Flags {
		if f.Required && !f.given {
			missing = append(missing, f.Usage())
		}
		if f.xor == "" || !f.given {
			continue
		}
		if other := first[f.xor]; other != "" {
			return c.wrong("--%s and --%s cannot be used together", other, f.Name)
		}
		first[f.xor] = f.Name
	}
	if len(missing) > 0 {
		return c.wrong("missing %s", strings.Join(missing, ", "))
	}
	return nil
}

// explain words an error of pflag.
func (c *Command) explain(err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var empty *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		names := make([]string, len(c.Flags))
		for i, f := range c.Flags {
			names[i] = f.Name
		}
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return c.wrong("unknown flag -%s", name)
		}
		return c.wrong("unknown flag --%s%s", name, suggestion(name, "--", names))
	case errors.As(err, &empty):
		return c.wrong("--%s: needs a value", empty.GetSpecifiedName())
	case errors.As(err, &invalid):
		return c.wrong("--%s %v", invalid.GetFlag().Name, invalid.Unwrap())
	default:
		return c.wrong("%v", err)
	}
}

func (c *Command) wrong(format string, args ...any) error {
	return &UsageError{Command: c, text: fmt.Sprintf(format, args...)}
}

func (c *Command) childNames() []string {
	var names []string
	for _, child := range c.Children {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return names
}

func (c *Command) someChildren() string {
	const most = 5
	names := c.childNames()
	if len(names) == 1 {
		return quoted(names)
	}
	text := "one of " + strings.ReplaceAll(quoted(names[:min(len(names), most)]), ",", ", ")
	if len(names) > most {
		text += ", ..."
	}
	return text
}

// pflagValue hands pflag's texts to a flag.
type pflagValue struct{ flag *Flag }

func (v pflagValue) String() string { return "" }
func (v pflagValue) Type() string   { return "" }

func (v pflagValue) Set(text string) error {
	v.flag.given = true
	return v.flag.value.set(text)
}
