package server

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// The versions of OpenAPI in which Document writes.
const (
	OpenAPI31 = "3.1"
	OpenAPI30 = "3.0"
)

// Document returns the OpenAPI document of a server with default settings, as indented
// JSON, for generators of clients. Routes are told by the code alone, so no database is
// asked. A running server's own document, with its limits, is at /openapi.json.
func Document(build Build, version string) ([]byte, error) {
	s, err := New(Deps{
		// Handlers are registered and never called.
		Store: struct{ model.Store }{}, Ingest: struct{ Ingest }{}, Auth: new(auth.Service),
		Build: build,
	})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	own, err := s.document()
	if err != nil {
		return nil, err
	}
	document := own.body
	switch version {
	case OpenAPI31:
	case OpenAPI30:
		if document, err = s.api.OpenAPI().Downgrade(); err != nil {
			return nil, fmt.Errorf("write the document as OpenAPI %s: %w", version, err)
		}
	default:
		return nil, fmt.Errorf("OpenAPI version %q is unknown: give %s or %s", version, OpenAPI31, OpenAPI30)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "", "  "); err != nil {
		return nil, fmt.Errorf("indent the OpenAPI document: %w", err)
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}
