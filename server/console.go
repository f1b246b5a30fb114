package server

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/internal/uplot"
)

//go:embed web/console
var consoleFiles embed.FS

// consolePath is where the console is. Its views are parts of the address behind #.
const consolePath = "/console"

// consolePolicy lets the console load what this server serves and nothing else, and keeps
// scripts from turning text into markup.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// consoleAssets are the console's files by their routes.
func consoleAssets() (map[string]content, error) {
	files := map[string]content{
		consolePath + "/uplot.js":  contentOf(func() ([]byte, error) { return []byte("/*\n" + uplot.License + "*/\n" + uplot.JS), nil }),
		consolePath + "/uplot.css": contentOf(func() ([]byte, error) { return []byte(uplot.CSS), nil }),
	}
	err := fs.WalkDir(consoleFiles, "web/console", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file, err := embedded(consoleFiles, name)
		route := consolePath + strings.TrimPrefix(name, "web/console")
		if strings.HasSuffix(route, "/index.html") {
			route = consolePath
		}
		files[route] = file
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the console's files: %w", err)
	}
	return files, nil
}

func (s *Server) registerConsole() error {
	files, err := consoleAssets()
	if err != nil {
		return err
	}
	for route, file := range files {
		if route == consolePath && s.cfg.AuthMode == AuthRequired {
			file = contentOf(askingFirst(file))
		}
		kind := contentTypeOf(path.Ext(route))
		s.handle(http.MethodGet, route, public(), s.staticFile(file, kind, consolePolicy))
	}
	// Who types the address alone is a person: programs know a route.
	s.handle(http.MethodGet, "/", public(), func(c *gin.Context) { c.Redirect(http.StatusSeeOther, consolePath) })
	return nil
}

// askingFirst is the page that asks who is there before it asks for anything else, which would
// be refused: it is told so by its markup, or it could find out by a refusal alone.
func askingFirst(page content) func() ([]byte, error) {
	return func() ([]byte, error) {
		file, err := page()
		return bytes.Replace(file.body, []byte("<html "), []byte(`<html data-auth="required" `), 1), err
	}
}

// contentTypeOf does not ask the machine's own table for what it knows.
func contentTypeOf(extension string) string {
	switch extension {
	case "":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(extension)
	}
}
