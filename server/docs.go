package server

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
)

//go:embed web/docs.html web/docs.js web/swagger/swagger-ui.css web/swagger/swagger-ui-bundle.js
var web embed.FS

// docsPolicy lets the page load what this server serves and nothing else. The
// stylesheet shows its icons from data: addresses.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// UndocumentedRoutes are served but are not part of the API: the document itself, the
// page that shows it, the console, and the way there from the address alone.
func UndocumentedRoutes() []string {
	routes := []string{
		"GET /", "GET /openapi.json", "GET /docs", "GET /docs/docs.js",
		"GET /docs/swagger-ui.css", "GET /docs/swagger-ui-bundle.js",
	}
	files, _ := consoleAssets() // no server is made if they cannot be read
	for route := range files {
		routes = append(routes, http.MethodGet+" "+route)
	}
	return routes
}

func (s *Server) registerDocs() error {
	s.handle(http.MethodGet, "/openapi.json", public(), func(c *gin.Context) {
		s.serveContent(c, s.document, "application/openapi+json")
	})
	for _, f := range []struct{ route, file, contentType string }{
		{"/docs", "web/docs.html", "text/html; charset=utf-8"},
		{"/docs/docs.js", "web/docs.js", "text/javascript; charset=utf-8"},
		{"/docs/swagger-ui.css", "web/swagger/swagger-ui.css", "text/css; charset=utf-8"},
		{"/docs/swagger-ui-bundle.js", "web/swagger/swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
	} {
		file, err := embedded(web, f.file)
		if err != nil {
			return err
		}
		s.handle(http.MethodGet, f.route, public(), s.staticFile(file, f.contentType, docsPolicy))
	}
	return nil
}

// content is bytes that stay the same as long as this program runs, with their ETag. They
// are made when the first asks: most servers are never asked, and starting waits for none
// of it.
type content func() (taggedContent, error)

type taggedContent struct {
	body []byte
	etag string
}

func contentOf(build func() ([]byte, error)) content {
	return sync.OnceValues(func() (taggedContent, error) {
		body, err := build()
		return taggedContent{body, contentTag(body)}, err
	})
}

// embedded is a file that is part of the program.
func embedded(files fs.FS, name string) (content, error) {
	if _, err := fs.Stat(files, name); err != nil {
		return nil, fmt.Errorf("look for a page's file: %w", err)
	}
	return contentOf(func() ([]byte, error) { return fs.ReadFile(files, name) }), nil
}

// staticFile serves a file that is part of the program: browsers keep it and ask
// whether it is still the same.
func (s *Server) staticFile(file content, contentType, policy string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Writer.Header().Set("Content-Security-Policy", policy)
		s.serveContent(c, file, contentType)
	}
}

// serveContent answers with bytes that stay the same.
func (s *Server) serveContent(c *gin.Context, made content, contentType string) {
	file, err := made()
	if err != nil {
		s.fail(c.Request.Context(), err).abort(c)
		return
	}
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", file.etag)
	// What is no list of tags matches nothing: a file is sent rather than refused.
	if tags, _ := parseETags(c.Request.Header[headerIfNoneMatch]); !noneMatch(tags, file.etag) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, contentType, file.body)
}
