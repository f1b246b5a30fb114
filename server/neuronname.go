package server

import (
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/model"
)

// neuronName is the id of a neuron that a client gives to what it makes: a neuron, a
// signal, a memory. Filters and routes to what is there take any text.
type neuronName string

// neuronNamePattern is model.NeuronIDPlain for readers of the document: RE2 and ECMA
// read it alike.
const neuronNamePattern = `^(?:\.?[^.\x00-\x1f\x7f-\x9f]|\.\.[^\x00-\x1f\x7f-\x9f])[^\x00-\x1f\x7f-\x9f]*$`

// Schema implements huma.SchemaProvider.
func (neuronName) Schema(huma.Registry) *huma.Schema {
	least, most := 1, maxName
	return &huma.Schema{
		Type: huma.TypeString, MinLength: &least, MaxLength: &most,
		Pattern: neuronNamePattern, PatternDescription: "a name without control characters, and neither . nor ..",
	}
}

// plainName tells whether a name may be stored that has at most so many characters as
// maxName says; of some that have more bytes huma judges.
func plainName(name string) bool {
	return name != "" && len(name) <= maxName && model.NeuronIDPlain(name)
}

// unescapePath undoes the escapes of a path's parameters. gin would do it as for a form,
// to which a + is a space.
func unescapePath(c *gin.Context) {
	if c.Request.URL.RawPath == "" {
		return // gin went by the path without escapes
	}
	for i := range c.Params {
		if v, err := url.PathUnescape(c.Params[i].Value); err == nil {
			c.Params[i].Value = v
		}
	}
}
