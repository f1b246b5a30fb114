package cli

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value stores texts in a field.
type value struct {
	set func(text string) error
}

// TextFlag returns a flag whose text goes to set.
func TextFlag(name, placeholder, help, group string, set func(text string)) *Flag {
	return &Flag{Name: name, Placeholder: placeholder, Help: help, Group: group, value: value{func(text string) error {
		set(text)
		return nil
	}}}
}

// newValue returns what stores texts in a field, and stores the field's default.
func newValue(field reflect.StructField, at reflect.Value) (value, error) {
	v := value{func(text string) error { return store(at, text) }}
	switch {
	case at.Kind() == reflect.Slice && at.Type().Elem().Kind() == reflect.String:
		whole := has(field, "arg") || field.Tag.Get("sep") == "none"
		v.set = func(text string) error {
			parts := []string{text}
			if !whole {
				parts = strings.Split(text, ",")
			}
			for _, part := range parts {
				at.Set(reflect.Append(at, reflect.ValueOf(part).Convert(at.Type().Elem())))
			}
			return nil
		}
	case !storable(at.Type()):
		return value{}, fmt.Errorf("a %s cannot be given on a command line", at.Type())
	}
	if enum := enumOf(field); enum != nil {
		plain := v.set
		v.set = func(text string) error {
			if !slices.Contains(enum, text) {
				return fmt.Errorf("must be one of %s but got %q", quoted(enum), text)
			}
			return plain(text)
		}
	}
	if def := field.Tag.Get("default"); def != "" {
		if err := v.set(def); err != nil {
			return value{}, fmt.Errorf("its default %w", err)
		}
	}
	return v, nil
}

func storable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	default:
		return false
	}
}

func store(at reflect.Value, text string) error {
	if at.Kind() == reflect.Pointer {
		fresh := reflect.New(at.Type().Elem())
		if err := store(fresh.Elem(), text); err != nil {
			return err
		}
		at.Set(fresh)
		return nil
	}
	switch {
	case at.Type() == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("must be a duration, as in 30s or 5m, but got %q", text)
		}
		at.SetInt(int64(d))
	case at.Kind() == reflect.Bool:
		yes, err := truth(text)
		if err != nil {
			return err
		}
		at.SetBool(yes)
	case at.Kind() == reflect.String:
		at.SetString(text)
	default:
		n, err := strconv.ParseInt(text, 10, at.Type().Bits())
		switch {
		case errors.Is(err, strconv.ErrRange):
			return fmt.Errorf("is too large a number: %s", text)
		case err != nil:
			return fmt.Errorf("must be a whole number but got %q", text)
		}
		at.SetInt(n)
	}
	return nil
}

func truth(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no":
		return false, nil
	default:
		return false, fmt.Errorf("must be true, 1, yes, false, 0 or no but got %q", text)
	}
}

func quoted(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = strconv.Quote(w)
	}
	return strings.Join(all, ",")
}
