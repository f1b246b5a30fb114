package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// JSONEqual tells whether two texts are the same JSON value, however they are
// spelt: order of names, white space, escapes, and 1e2 for 100. Numbers are
// compared exactly, not as float64. An error says that one of them is no JSON
// value.
func JSONEqual(a, b JSON) (bool, error) {
	if bytes.Equal(a, b) {
		return true, nil
	}
	va, err := readJSON(a)
	if err != nil {
		return false, err
	}
	vb, err := readJSON(b)
	if err != nil {
		return false, err
	}
	return reflect.DeepEqual(va, vb), nil
}

// jsonNumber is a number of which equal values are equal structs.
type jsonNumber struct {
	negative bool
	digits   string // without zeros at either end; "" is zero
	exponent int64  // of the last digit
}

func readJSON(text JSON) (any, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	v, err := readJSONValue(dec)
	if err != nil {
		return nil, fmt.Errorf("read JSON value: %w", err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read JSON value: text after it")
	}
	return v, nil
}

// readJSONValue recurses as deep as the decoder lets it; what is stored nests at
// most MaxJSONDepth deep.
func readJSONValue(dec *jsontext.Decoder) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err //nolint:wrapcheck // wrapped by readJSON
	}
	switch tok.Kind() {
	case '{':
		object := map[string]any{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err //nolint:wrapcheck // wrapped by readJSON
			}
			key := name.String() // the token is void after the next read
			if object[key], err = readJSONValue(dec); err != nil {
				return nil, err
			}
		}
		_, err = dec.ReadToken()
		return object, err //nolint:wrapcheck // wrapped by readJSON
	case '[':
		array := []any{}
		for dec.PeekKind() != ']' {
			v, err := readJSONValue(dec)
			if err != nil {
				return nil, err
			}
			array = append(array, v)
		}
		_, err = dec.ReadToken()
		return array, err //nolint:wrapcheck // wrapped by readJSON
	case '"':
		return tok.String(), nil
	case '0':
		return readJSONNumber(tok.String())
	case 't', 'f':
		return tok.Bool(), nil
	default:
		return nil, nil //nolint:nilnil // JSON's null
	}
}

func readJSONNumber(literal string) (jsonNumber, error) {
	var n jsonNumber
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(literal), "e")
	if hasExponent {
		var err error
		if n.exponent, err = strconv.ParseInt(exponent, 10, 32); err != nil {
			return n, fmt.Errorf("read exponent of %s: %w", literal, err)
		}
	}
	mantissa, n.negative = strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	n.exponent -= int64(len(fraction))

	digits := strings.TrimLeft(whole+fraction, "0")
	n.digits = strings.TrimRight(digits, "0")
	n.exponent += int64(len(digits) - len(n.digits))
	if n.digits == "" {
		return jsonNumber{}, nil
	}
	return n, nil
}
