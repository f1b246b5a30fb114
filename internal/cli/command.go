package cli

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// Command is one command, or a group of them.
type Command struct {
	Name   string
	Help   string // one sentence
	Detail string // paragraphs and an example, as in doc comments
	Hidden bool

	// Target is the pointer to the command's struct.
	Target any

	Parent    *Command
	Children  []*Command // in the order of the fields
	Arguments []*Argument
	Flags     []*Flag

	fallback *Command // of the children, if none is named
}

// Argument is a value that is told by its place.
type Argument struct {
	Name     string
	Help     string
	Enum     []string
	Optional bool
	Many     bool // takes all that are left

	value value
}

// Flag is a value that is told by its name.
type Flag struct {
	Name        string
	Help        string
	Placeholder string
	Group       string // the heading under which the help shows it
	Enum        []string
	Default     string
	Bool        bool // needs no value
	Many        bool // takes several, with commas between them
	Required    bool
	Hidden      bool

	xor   string
	value value
	given bool
}

// Detailed is a command with more to say than its one sentence.
type Detailed interface{ Help() string }

// Flagged is a part of a command that has flags which are not fields of it.
type Flagged interface{ Flags() []*Flag }

// New returns the tree of commands of a pointer to a struct, under the name of the program.
// An error is a fault of the tags.
func New(name, detail string, root any) (*Command, error) {
	c := &Command{Name: name, Detail: detail, Target: root}
	if err := c.fill(reflect.ValueOf(root).Elem()); err != nil {
		return nil, fmt.Errorf("commands of %s: %w", name, err)
	}
	return c, nil
}

// Path returns the words that call the command, the program's name first.
func (c *Command) Path() string {
	if c.Parent == nil {
		return c.Name
	}
	return c.Parent.Path() + " " + c.Name
}

// Each visits a command and all below it that are not hidden, in the order of the help.
func (c *Command) Each(visit func(*Command)) {
	visit(c)
	for _, child := range c.Children {
		if !child.Hidden {
			child.Each(visit)
		}
	}
}

// fill reads the fields of a struct.
func (c *Command) fill(v reflect.Value) error {
	for i := range v.NumField() {
		field, at := v.Type().Field(i), v.Field(i)
		if !at.CanSet() && !field.Anonymous {
			continue
		}
		if err := c.field(field, at); err != nil {
			return fmt.Errorf("%s: %w", field.Name, err)
		}
	}
	return nil
}

func (c *Command) field(field reflect.StructField, at reflect.Value) error {
	_, isCommand := field.Tag.Lookup("cmd")
	_, isArgument := field.Tag.Lookup("arg")
	switch {
	case isCommand:
		return c.child(field, at)
	case field.Anonymous && field.IsExported():
		if lends, ok := reflect.TypeAssert[Flagged](at.Addr()); ok {
			c.Flags = append(c.Flags, lends.Flags()...)
			return nil
		}
		return c.fill(at)
	case field.Anonymous:
		return c.fill(at)
	case isArgument:
		return c.argument(field, at)
	default:
		return c.flag(field, at)
	}
}

func (c *Command) child(field reflect.StructField, at reflect.Value) error {
	child := &Command{Name: nameOf(field), Help: field.Tag.Get("help"), Hidden: has(field, "hidden"), Target: at.Addr().Interface(), Parent: c}
	if d, ok := child.Target.(Detailed); ok {
		child.Detail = d.Help()
	}
	if field.Tag.Get("default") == "withargs" {
		c.fallback = child
	}
	c.Children = append(c.Children, child)
	return child.fill(at)
}

func (c *Command) argument(field reflect.StructField, at reflect.Value) error {
	v, err := newValue(field, at)
	if err != nil {
		return err
	}
	name := field.Tag.Get("name")
	if name == "" {
		name = strings.ToUpper(nameOf(field))
	}
	c.Arguments = append(c.Arguments, &Argument{
		Name: name, Help: field.Tag.Get("help"), Enum: enumOf(field),
		Optional: has(field, "optional"), Many: at.Kind() == reflect.Slice, value: v,
	})
	return nil
}

func (c *Command) flag(field reflect.StructField, at reflect.Value) error {
	v, err := newValue(field, at)
	if err != nil {
		return err
	}
	enum := enumOf(field)
	c.Flags = append(c.Flags, &Flag{
		Name: nameOf(field), Help: strings.ReplaceAll(field.Tag.Get("help"), "${enum}", strings.Join(enum, ", ")),
		Placeholder: field.Tag.Get("placeholder"), Enum: enum, Default: field.Tag.Get("default"),
		Bool: at.Kind() == reflect.Bool, Many: at.Kind() == reflect.Slice && field.Tag.Get("sep") != "none", Required: has(field, "required"), Hidden: has(field, "hidden"),
		xor: field.Tag.Get("xor"), value: v,
	})
	return nil
}

func has(field reflect.StructField, tag string) bool {
	_, ok := field.Tag.Lookup(tag)
	return ok
}

func enumOf(field reflect.StructField) []string {
	if enum := field.Tag.Get("enum"); enum != "" {
		return strings.Split(enum, ",")
	}
	return nil
}

// nameOf returns the name that a field gives: CompareOnly is compare-only.
func nameOf(field reflect.StructField) string {
	if name := field.Tag.Get("name"); name != "" {
		return name
	}
	var b strings.Builder
	letters := []rune(field.Name)
	for i, r := range letters {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1])) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
