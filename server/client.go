package server

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/auth"
)

// requestInfo is what is known of every request.
type requestInfo struct {
	id        string
	server    *Server
	request   *http.Request
	userAgent string
	begun     time.Time
	// access is the route's, nil if no route took the request.
	access *access
	// spent is what of the request's time was used to find out who sent it.
	spent time.Duration
	// lane counts the request; nil for none.
	lane *admission
}

type requestInfoKey struct{}

// requestID is the id of the request that a context belongs to, "" if to none.
func requestID(ctx context.Context) string {
	if info, ok := ctx.Value(requestInfoKey{}).(*requestInfo); ok {
		return info.id
	}
	return ""
}

// infoOf is what is known of the request that a context belongs to, nil if to none.
func infoOf(ctx context.Context) *requestInfo {
	info, _ := ctx.Value(requestInfoKey{}).(*requestInfo)
	return info
}

// clientOf is where the request comes from that a context belongs to.
func clientOf(ctx context.Context) auth.Client {
	info, ok := ctx.Value(requestInfoKey{}).(*requestInfo)
	if !ok {
		return auth.Client{}
	}
	c := auth.Client{UserAgent: info.userAgent}
	if address := info.address(); address.IsValid() {
		c.IP = address.String()
	}
	return c
}

// address is the client's; invalid if unknown, as on a Unix socket. Few requests need it.
func (i *requestInfo) address() netip.Addr { return i.server.clientAddress(i.request) }

// clientAddress finds the address of the client. Whoever connects may write anything
// into X-Forwarded-For and Forwarded: only what trusted proxies wrote is read.
func (s *Server) clientAddress(r *http.Request) netip.Addr {
	peer, ok := peerOf(r)
	if !ok {
		return netip.Addr{}
	}
	if len(s.cfg.TrustedProxies) == 0 || !s.trusted(peer) {
		return peer
	}
	old, standard := r.Header["X-Forwarded-For"], r.Header["Forwarded"]
	switch {
	case len(standard) == 0:
		return s.firstUntrusted(peer, strings.Split(strings.Join(old, ","), ","))
	case len(old) == 0:
		return s.firstUntrusted(peer, forwardedFor(strings.Join(standard, ",")))
	}
	// A proxy that writes one of them may let the other one pass as the client sent
	// it. If they disagree, one is forged, and nobody knows which.
	a := s.firstUntrusted(peer, strings.Split(strings.Join(old, ","), ","))
	if b := s.firstUntrusted(peer, forwardedFor(strings.Join(standard, ","))); a != b {
		return peer
	}
	return a
}

// peerOf is the address that a request's connection comes from; false on a Unix socket.
func peerOf(r *http.Request) (netip.Addr, bool) {
	connection, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	return connection.Addr().Unmap().WithZone(""), true
}

// firstUntrusted walks back from the last hop to the first one that no trusted proxy
// vouches for. A hop that is no address ends the walk at the proxy that wrote it.
func (s *Server) firstUntrusted(peer netip.Addr, hops []string) netip.Addr {
	last := peer
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(hop)
		if !ok {
			return last
		}
		last = addr
		if !s.trusted(addr) {
			return last
		}
	}
	return last
}

func (s *Server) trusted(addr netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port and brackets.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

// forwardedFor lists what the elements of a Forwarded header say after for=, ""
// where they say nothing (RFC 7239, section 4).
func forwardedFor(header string) []string {
	var hops []string
	for element := range splitUnquoted(header, ',') {
		hop := ""
		for pair := range splitUnquoted(element, ';') {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				hop = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// splitUnquoted splits at separators that stand outside of double quotes. Addresses
// need no backslash, so that one is no special sign here: it makes a hop unreadable.
func splitUnquoted(s string, separator byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		quoted, begin := false, 0
		for i := range len(s) {
			switch {
			case s[i] == '"':
				quoted = !quoted
			case s[i] == separator && !quoted:
				if !yield(s[begin:i]) {
					return
				}
				begin = i + 1
			}
		}
		yield(s[begin:])
	}
}
