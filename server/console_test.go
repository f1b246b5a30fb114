package server_test

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/server"
)

// The address alone, as people type it, leads to the console.
func TestAddressAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, inMode(server.AuthRequired))
	s.ask("GET", "/", "").want(200, "<title>HAL9 console</title>")
	s.ask("GET", "/nowhere", "").problem(404, "/console shows the service")
}

// Where all is for accounts the console is told so, and asks for nothing before one is there.
func TestConsoleKnowsTheMode(t *testing.T) {
	t.Parallel()
	for mode, told := range map[string]bool{server.AuthRequired: true, server.AuthOpen: false} {
		page := newServer(t, sqliteEngine, inMode(mode)).ask("GET", "/console", "").want(200)
		if got := strings.Contains(page.body, `<html data-auth="required" lang="en">`); got != told {
			t.Errorf("auth.mode %s: told of accounts: %v", mode, got)
		}
	}
}

// The console asks nobody but this server: each file that it names is served, under a
// policy that refuses everything else.
func TestConsoleIsComplete(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, inMode(server.AuthRequired))
	files := map[string]response{}
	for _, route := range server.UndocumentedRoutes() {
		if file := strings.TrimPrefix(route, "GET "); strings.HasPrefix(file, "/console") {
			files[file] = s.ask("GET", file, "").want(200)
		}
	}
	kinds := map[string]string{"": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	mentioned := map[string]bool{"/console": true}
	elsewhere := regexp.MustCompile(`(?:https?:)?//[a-z0-9]+\.[a-z0-9.]+`)
	names := regexp.MustCompile(`(?:href="|src="|from '|import\(')(\.?/[^"'#]+)`)
	inline := regexp.MustCompile(`<script(?:[^>]*[^c])?>[^<]|<style|\sstyle="|\son[a-z]+="|innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`)
	for file, r := range files {
		if kind := kinds[path.Ext(file)]; !strings.HasPrefix(r.header.Get("Content-Type"), kind) {
			t.Errorf("%s is %s", file, r.header.Get("Content-Type"))
		}
		policy := r.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: no %s in %q", file, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("ETag") == "" {
			t.Errorf("%s: %v", file, r.header)
		}
		s.ask("GET", file, "", "If-None-Match", r.header.Get("ETag")).want(304)
		if strings.HasPrefix(path.Base(file), "uplot") {
			continue // not ours; the licence names its home
		}
		text := strings.ReplaceAll(r.body, "http://www.w3.org/2000/svg", "")
		if found := elsewhere.FindString(text); found != "" {
			t.Errorf("%s names %s", file, found)
		}
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s has %q, which the policy refuses", file, found)
		}
		for _, m := range names.FindAllStringSubmatch(text, -1) {
			name := m[1]
			if strings.HasPrefix(name, "./") {
				name = path.Join(path.Dir(file), name)
			}
			mentioned[name] = true
			if _, ok := files[name]; !ok {
				t.Errorf("%s names %s, which is not served", file, name)
			}
		}
	}
	for file := range files {
		if !mentioned[file] {
			t.Errorf("nothing names %s", file)
		}
	}
	if len(files) < 15 {
		t.Errorf("only %d files", len(files))
	}
}
