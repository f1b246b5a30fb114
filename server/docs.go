package server

import (
	"embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

//go:embed web/docs.html web/docs.js web/swagger/swagger-ui.css web/swagger/swagger-ui-bundle.js
var web embed.FS

// docsPolicy lets the page load what this server serves and nothing else. The
// stylesheet shows its icons from data: addresses.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// UndocumentedRoutes are served but are not part of the API: the document itself, the
// page that shows it, and the console.
func UndocumentedRoutes() []string {
	routes := []string{
		"GET /openapi.json", "GET /docs", "GET /docs/docs.js",
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
		serveContent(c, s.document, "application/openapi+json", s.documentTag)
	})
	for _, f := range []struct{ route, file, contentType string }{
		{"/docs", "web/docs.html", "text/html; charset=utf-8"},
		{"/docs/docs.js", "web/docs.js", "text/javascript; charset=utf-8"},
		{"/docs/swagger-ui.css", "web/swagger/swagger-ui.css", "text/css; charset=utf-8"},
		{"/docs/swagger-ui-bundle.js", "web/swagger/swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
	} {
		content, err := web.ReadFile(f.file)
		if err != nil {
			return err //nolint:wrapcheck // names the file
		}
		s.handle(http.MethodGet, f.route, public(), staticFile(content, f.contentType, docsPolicy))
	}
	return nil
}

// staticFile serves a file that is part of the program: browsers keep it and ask
// whether it is still the same.
func staticFile(content []byte, contentType, policy string) gin.HandlerFunc {
	etag := contentTag(content)
	return func(c *gin.Context) {
		c.Writer.Header().Set("Content-Security-Policy", policy)
		serveContent(c, content, contentType, etag)
	}
}

// serveContent answers with bytes that stay the same as long as this program runs.
func serveContent(c *gin.Context, content []byte, contentType, etag string) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", etag)
	// What is no list of tags matches nothing: a file is sent rather than refused.
	if tags, _ := parseETags(c.Request.Header[headerIfNoneMatch]); !noneMatch(tags, etag) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, contentType, content)
}
