package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/auth"
)

// What pages of allowed origins may use. Credentials come in headers that a page
// sets itself, so that Access-Control-Allow-Credentials, which is about cookies, is
// never sent.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Encoding, Content-Type, HAL9-Consistency-Token, Idempotency-Key, If-Match, If-None-Match, " +
		"Last-Event-ID, X-API-Key, X-Request-Id"
	corsExposed = "ETag, HAL9-Consistency-Token, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
	// corsMaxAge is how long browsers keep a preflight's answer, in seconds.
	corsMaxAge = "600"
)

// cors lets pages of the configured origins in, and answers the questions that
// browsers ask before they send what a page wants.
func (s *Server) cors(c *gin.Context) {
	if len(s.cfg.CORSOrigins) == 0 {
		c.Next()
		return
	}
	h, r := c.Writer.Header(), c.Request
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !s.allowedOrigin(origin) {
		c.Next()
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", corsExposed)
		c.Next()
		return
	}
	// It has no credential, whatever the page's request will have.
	if limited := s.limits.take(c, &auth.Principal{}, s.now()); limited != nil {
		limited.abort(c)
		return
	}
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	h.Del("Allow")
	c.AbortWithStatus(http.StatusNoContent)
}

func (s *Server) allowedOrigin(origin string) bool {
	return origin != "" && slices.Contains(s.cfg.CORSOrigins, origin)
}

// checkOrigins keeps what would match no browser's Origin, or all of them, out.
func checkOrigins(origins []string) string {
	for _, o := range origins {
		if o == "*" || o == "null" || !strings.Contains(o, "://") {
			return o
		}
	}
	return ""
}
