package config

import (
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/hal9-ai/hal9/internal/dburl"
)

const (
	mask       = "***"
	unreadable = "(unreadable URL, not shown)"
)

// parts are the pieces of a server's URL, still escaped.
type parts struct {
	scheme, user          string
	hasUser, hasPassword  bool
	hosts, path, rawQuery string
}

// splitURL splits the URL of a server. It does not lean on net/url, which
// refuses lists of hosts (postgres://a:5432,b/db) and repeats the URL, password
// included, in its errors. No fault of its own repeats any part.
func splitURL(raw string) (parts, *fault) {
	invalid := &fault{
		"this is no valid URL",
		"check host and port, and percent-encode special characters in the password and in parameters (@ is %40, / is %2F, # is %23, % is %25)",
	}
	var u parts
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return u, invalid
	}
	u.scheme = scheme
	// Only a slash ends the search for the user, as in libpq: a password may
	// hold a question mark.
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		u.hasUser = true
		var password string
		u.user, password, u.hasPassword = strings.Cut(rest[:i], ":")
		rest = rest[i+1:]
		if !escaped(u.user) || !escaped(password) {
			return u, invalid
		}
	}
	rest, u.rawQuery, _ = strings.Cut(rest, "?")
	// An @ here may mean that a password held an unescaped @, / or ? and was cut
	// in two, so that what follows is part of it rather than a host or a path.
	if strings.ContainsAny(rest, "@#") || strings.Contains(u.rawQuery, "@") {
		return u, invalid
	}
	u.hosts, u.path = rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		u.hosts, u.path = rest[:i], rest[i:]
	}
	if !escaped(u.path) || !escaped(u.rawQuery) {
		return u, invalid
	}
	for host := range strings.SplitSeq(u.hosts, ",") {
		if !validHost(host) {
			return u, invalid
		}
	}
	return u, nil
}

// escaped tells whether every % begins an escape.
func escaped(s string) bool {
	_, err := url.PathUnescape(s)
	return err == nil
}

// validHost accepts a name or address, in brackets for IPv6, with or without a port.
func validHost(host string) bool {
	if name, bracketed := strings.CutPrefix(host, "["); bracketed {
		name, port, closed := strings.Cut(name, "]")
		return closed && name != "" && (port == "" || port[0] == ':' && validPort(port[1:]))
	}
	if !strings.Contains(host, ":") {
		return true
	}
	_, port, err := net.SplitHostPort(host)
	return err == nil && validPort(port)
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// MaskURL returns a URL fit to be shown: without its password, and without
// parameters that could hold one. What cannot be read is not shown at all.
func MaskURL(raw string) string {
	if raw == "" || dburl.Engine(raw) == dburl.SQLite {
		return raw
	}
	u, bad := splitURL(raw)
	if bad != nil {
		return unreadable
	}
	var b strings.Builder
	b.WriteString(u.scheme + "://")
	switch {
	case u.hasUser && u.hasPassword:
		b.WriteString(u.user + ":" + mask + "@")
	case u.hasUser && dburl.Engine(raw) == dburl.Postgres:
		b.WriteString(u.user + "@")
	case u.hasUser:
		// A name without a password may itself be a token.
		b.WriteString(mask + "@")
	}
	b.WriteString(u.hosts + u.path)
	if u.rawQuery != "" {
		b.WriteString("?" + maskQuery(u.rawQuery))
	}
	return b.String()
}

// maskQuery masks the values of parameters whose name suggests a secret.
func maskQuery(raw string) string {
	fields := strings.Split(raw, "&")
	for i, field := range fields {
		name, _, _ := strings.Cut(field, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil || suggestsSecret(plain) {
			fields[i] = name + "=" + mask
		}
	}
	return strings.Join(fields, "&")
}

func suggestsSecret(text string) bool {
	text = strings.ToLower(text)
	for _, word := range []string{"pass", "pwd", "secret", "token", "key"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// MaskText masks the credentials of URLs and the values of password= and its
// like within a text that others wrote, such as an error about an unexpected
// argument.
func MaskText(text string) string {
	// Greedy up to the last @ of a word: a password may hold one.
	text = regexp.MustCompile(`://[^\s"']*@`).ReplaceAllString(text, "://"+mask+"@")
	return regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token)=)[^\s&"']+`).ReplaceAllString(text, "${1}"+mask)
}
