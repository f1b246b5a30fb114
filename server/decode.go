package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonFormat is the one JSON codec of all bodies. A body is decoded twice: into
// generic values, which are checked against the schema, then into the Go type.
// Text that is no JSON fails the first time, which is answered 400; what is JSON
// but cannot be taken fails the check or the second time, which is answered 422.
func jsonFormat(maxDepth int) huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			body, err := marshalAnswer(v)
			if err != nil {
				return fmt.Errorf("write JSON: %w", err)
			}
			if to, ok := w.(http.ResponseWriter); ok {
				sayLength(to, len(body))
			}
			_, err = w.Write(body)
			return err //nolint:wrapcheck // the client's connection
		},
		Unmarshal: func(data []byte, v any) error {
			if generic, ok := v.(*any); ok {
				parsed, err := decodeValue(data, maxDepth)
				*generic = parsed
				return err
			}
			return decodeInto(data, v)
		},
	}
}

// fault stands in the generic value for something that is JSON but cannot be
// taken. No schema accepts it, so that the check names its place.
type fault string

const (
	faultNUL    fault = "must not contain the NUL character"
	faultNumber fault = "must be a number within ±1.8e308"
)

// decodeValue reads one JSON value: no duplicate names, no broken UTF-8, no lone
// surrogates, bounded depth, nothing after it.
func decodeValue(data []byte, maxDepth int) (any, error) {
	d := valueDecoder{jsontext.NewDecoder(bytes.NewReader(data)), maxDepth}
	v, err := d.value()
	if err != nil {
		return nil, syntaxFault(err)
	}
	if rest := bytes.TrimLeft(data[d.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, errors.New("invalid JSON: there is text after the value; send one value alone")
	}
	return v, nil
}

type valueDecoder struct {
	dec      *jsontext.Decoder
	maxDepth int
}

func (d *valueDecoder) value() (any, error) {
	tok, err := d.dec.ReadToken()
	if err != nil {
		return nil, err //nolint:wrapcheck // syntaxFault words it
	}
	switch tok.Kind() {
	case 'n':
		return nil, nil //nolint:nilnil // JSON's null
	case 't', 'f':
		return tok.Bool(), nil
	case '"':
		s := tok.String()
		if strings.IndexByte(s, 0) >= 0 {
			return faultNUL, nil
		}
		return s, nil
	case '0':
		n, err := strconv.ParseFloat(tok.String(), 64)
		if err != nil {
			return faultNumber, nil //nolint:nilerr // the fault tells it
		}
		return n, nil
	case '[':
		return d.array()
	default:
		return d.object()
	}
}

func (d *valueDecoder) array() (any, error) {
	if err := d.checkDepth(); err != nil {
		return nil, err
	}
	values := []any{}
	for d.dec.PeekKind() != ']' {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	_, err := d.dec.ReadToken()
	return values, err //nolint:wrapcheck // syntaxFault words it
}

func (d *valueDecoder) object() (any, error) {
	if err := d.checkDepth(); err != nil {
		return nil, err
	}
	members := map[string]any{}
	for d.dec.PeekKind() != '}' {
		name, err := d.dec.ReadToken()
		if err != nil {
			return nil, err //nolint:wrapcheck // syntaxFault words it
		}
		key := name.String()
		if members[key], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.dec.ReadToken()
	return members, err //nolint:wrapcheck // syntaxFault words it
}

var errDepth = errors.New("nested too deep")

func (d *valueDecoder) checkDepth() error {
	if d.dec.StackDepth() > d.maxDepth {
		return fmt.Errorf("%w: arrays and objects may nest %d deep", errDepth, d.maxDepth)
	}
	return nil
}

// syntaxFault words the decoder's errors for a client.
func syntaxFault(err error) error {
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, errDepth):
		return fmt.Errorf("invalid JSON: %w", err)
	case errors.As(err, &syntactic) && syntactic.Err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("invalid JSON at byte %d: %s", syntactic.ByteOffset, withoutQuotes(syntactic.Err.Error()))
	default:
		return errors.New("invalid JSON: the text ends too early")
	}
}

// withoutQuotes is what the decoder says of a string without what it quotes of it: the
// string may be a password.
func withoutQuotes(message string) string {
	for _, what := range []string{"invalid surrogate pair", "invalid escape sequence"} {
		if strings.HasPrefix(message, what) {
			return what + " in string"
		}
	}
	return message
}

// decodeInto fills a Go value from text that decodeValue has accepted. Names are
// told apart by case here, which the check against the schema does not do.
func decodeInto(data []byte, v any) error {
	err := json.Unmarshal(data, v, json.RejectUnknownMembers(true),
		// Checked before; checking again would cost time.
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var semantic *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &semantic):
		place := strings.ReplaceAll(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "/", ".")
		if errors.Is(err, json.ErrUnknownName) {
			return fmt.Errorf("unexpected property %q; names are told apart by case", place)
		}
		return fmt.Errorf("the value of %q does not fit", place)
	default:
		return errors.New("the body does not fit")
	}
}
