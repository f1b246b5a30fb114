package main

import (
	"github.com/hal9-ai/hal9/server"
)

// OpenAPICmd writes the OpenAPI document.
type OpenAPICmd struct {
	Spec string `help:"Version of OpenAPI: ${enum}." enum:"3.1,3.0" default:"3.1" placeholder:"VERSION"`
}

// Help describes the command.
func (*OpenAPICmd) Help() string {
	return `The document describes every route, with the default limits; a running server has its own
at /openapi.json. Generators that do not know OpenAPI 3.1 read it as 3.0.

Example:

    hal9 openapi > openapi.json
    hal9 openapi --spec 3.0 > openapi-3.0.json`
}

// Run writes the document.
func (c *OpenAPICmd) Run(g *Globals) error {
	document, err := server.Document(server.Build{Version: readBuild().Version}, c.Spec)
	if err != nil {
		return err
	}
	return say(g.Stdout, string(document))
}
