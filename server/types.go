package server

import (
	"errors"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hal9-ai/hal9/model"
)

// The limits that hold for every entity, on both engines.
const (
	maxName     = 255
	maxText     = 1 << 20
	maxMetadata = 64 << 10
)

// jsonObject is a JSON object that the service stores but does not look into:
// settings, metadata, context. A struct, since huma would take a slice apart.
type jsonObject struct{ text jsontext.Value }

// objectOf is a stored object in an answer.
func objectOf(v model.JSON) jsonObject { return jsonObject{jsontext.Value(v)} }

// Schema implements huma.SchemaProvider.
func (jsonObject) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true,
		Description: "Any JSON object of at most 64 KiB.",
		Examples:    []any{map[string]any{"temperature": 0.2}},
	}
}

// Resolve implements huma.ResolverWithPath.
func (o *jsonObject) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if len(o.text) == 0 {
		return nil
	}
	refuse := func(message string) []error {
		return []error{&huma.ErrorDetail{Location: prefix.String(), Message: message}}
	}
	if err := o.text.Compact(); err != nil {
		return refuse("must be a JSON object")
	}
	if len(o.text) > maxMetadata {
		return refuse("must not be longer than 64 KiB; it has " + strconv.Itoa(len(o.text)) + " bytes")
	}
	// What the store would refuse as well, but without the place in the body.
	var m *model.Error
	if err := model.CheckJSON("", "", model.JSON(o.text)); errors.As(err, &m) {
		return refuse(m.Reason)
	}
	return nil
}

// MarshalJSON writes the object as it is stored.
func (o jsonObject) MarshalJSON() ([]byte, error) { return o.value(), nil }

// UnmarshalJSON keeps a copy of the text; null is the same as nothing.
func (o *jsonObject) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		o.text = nil
		return nil
	}
	o.text = append(o.text[:0], data...)
	return nil
}

// value is what to store: {} when the client sent none.
func (o jsonObject) value() model.JSON {
	if len(o.text) == 0 {
		return model.EmptyObject()
	}
	return model.JSON(o.text)
}

// longText is content: up to 1 MiB of UTF-8.
type longText string

// Schema implements huma.SchemaProvider.
func (longText) Schema(huma.Registry) *huma.Schema {
	limit := maxText
	return &huma.Schema{Type: huma.TypeString, MaxLength: &limit, Description: "Text of at most 1 MiB of UTF-8."}
}

// Resolve implements huma.ResolverWithPath: the schema counts characters, the
// limit is in bytes.
func (t *longText) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if len(*t) <= maxText {
		return nil
	}
	return []error{&huma.ErrorDetail{
		Location: prefix.String(),
		Message:  "must not be longer than 1 MiB; it has " + strconv.Itoa(len(*t)) + " bytes",
	}}
}

// layerName reads a layer in any of its spellings.
func layerName(location, s string) (string, error) {
	layer, ok := model.ParseLayer(s)
	if !ok {
		return "", invalidField(location, "unknown layer; give L1, L2, L3 or L4, or execution, implementation, design or strategic")
	}
	return layer, nil
}

// layerFilter is layerName of a filter that may be absent.
func layerFilter(s string) (*string, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // no filter
	}
	layer, err := layerName("query.layer", s)
	if err != nil {
		return nil, err
	}
	return &layer, nil
}

// optional is nil for the empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// secondsSince is the whole and broken seconds from one moment to another, never
// negative.
func secondsSince(from, to time.Time) float64 {
	return max(0, to.Sub(from).Seconds())
}
