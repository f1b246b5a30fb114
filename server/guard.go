package server

import (
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/auth"
)

// guard refuses what open mode must not answer, and requests that are broken in
// ways that every route shares, in either mode.
func (s *Server) guard(c *gin.Context) {
	r := c.Request
	if s.cfg.AuthMode == AuthOpen {
		if p := s.guardOpen(r); p != nil {
			p.abort(c)
			return
		}
	}
	if p := guardRequest(r); p != nil {
		if a := infoOf(r.Context()).access; a == nil || !a.probe { // broken ones count as well
			if limited := s.limits.take(c, &auth.Principal{}, s.now()); limited != nil {
				p = limited
			}
		}
		p.abort(c)
		return
	}
	c.Next()
}

// guardRequest says what is broken about a request, nil if nothing is.
func guardRequest(r *http.Request) *problem {
	if r.URL.RawQuery != "" {
		if p := guardQuery(r.URL.RawQuery); p != nil {
			return p
		}
	}
	// Which of two counts must not depend on who reads.
	for _, name := range [...]string{"Content-Type", "Content-Encoding"} {
		if len(r.Header[name]) > 1 {
			return newProblem(http.StatusBadRequest, "", problemField{"header." + name, "must be given once"})
		}
	}
	// Over HTTP/2 a request without a body has one that is empty: the length tells.
	if r.ContentLength != 0 && !acceptedBody(r.Header.Get("Content-Type")) {
		return newProblem(http.StatusUnsupportedMediaType,
			"the body's Content-Type must be application/json, or application/x-ndjson for streams")
	}
	return nil
}

// guardOpen keeps strangers' web pages and proxies out. A page on the web can make a
// browser send requests to this machine: by a name that it lets resolve to the
// loopback address, which Host gives away, or across origins, which Origin does.
// Pages of server.cors_origins are no strangers'.
func (s *Server) guardOpen(r *http.Request) *problem {
	if host := s.loopback.Load(); host == nil || *host != r.Host {
		if !loopbackHost(r.Host) {
			return newProblem(http.StatusForbidden,
				"with auth.mode open this server answers only to a loopback name such as localhost or 127.0.0.1 in Host")
		}
		name := r.Host
		s.loopback.Store(&name)
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) && !s.allowedOrigin(origin) {
		return newProblem(http.StatusForbidden, "with auth.mode open this server takes no requests from pages of another origin that server.cors_origins does not name")
	}
	for _, name := range forwardingHeaders() {
		if _, ok := r.Header[name]; ok {
			return newProblem(http.StatusForbidden,
				"the request came through a proxy ("+name+"), and auth.mode open serves this machine alone; behind a proxy set auth.mode to required, and server.trusted_proxies to its address")
		}
	}
	return nil
}

// forwardingHeaders are in net/http's spelling.
func forwardingHeaders() [6]string {
	return [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}
}

// loopbackHost tells whether Host, with or without a port, names this machine.
func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host)
}

// guardQuery refuses what the router would pass over in silence.
func guardQuery(raw string) *problem {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return invalidField("query", "is malformed; encode special characters as %XX")
	}
	if allInOrder(values) {
		return nil
	}
	// Of several faults the first by name is told, not now this and now that.
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if p := guardParameter(name, values[name]); p != nil {
			return p
		}
	}
	return nil
}

func allInOrder(values url.Values) bool {
	for name, all := range values {
		if guardParameter(name, all) != nil {
			return false
		}
	}
	return true
}

func guardParameter(name string, all []string) *problem {
	for _, v := range all {
		if !utf8.ValidString(name) || !utf8.ValidString(v) {
			return invalidField("query."+name, "must be valid UTF-8")
		}
		if strings.IndexByte(name, 0) >= 0 || strings.IndexByte(v, 0) >= 0 {
			return invalidField("query."+name, string(faultNUL))
		}
	}
	if len(all) > 1 {
		return invalidField("query."+name, "must be given once")
	}
	return nil
}

// acceptedBody tells whether a body of this type is taken anywhere. Browsers send
// these types across origins only after asking, which is refused.
func acceptedBody(contentType string) bool {
	if contentType == typeJSON {
		return true
	}
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	switch mediaType {
	case typeJSON, "application/x-ndjson", "application/ndjson":
		return true
	default:
		return false
	}
}
