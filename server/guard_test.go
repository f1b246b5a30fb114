package server_test

import (
	"net"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/server"
)

func TestOpenModeGuards(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	refused := []struct {
		header []string
		text   string
	}{
		{[]string{"Host", "hal9.example:" + port}, "loopback name"},
		{[]string{"Host", "localhost.evil.example"}, "loopback name"},
		{[]string{"Host", "127.0.0.1.evil.example"}, "loopback name"},
		{[]string{"Host", "192.168.1.5:" + port}, "loopback name"},
		{[]string{"Host", "0.0.0.0:" + port}, "loopback name"},
		{[]string{"Origin", "http://evil.example"}, "another origin"},
		{[]string{"Origin", "null"}, "another origin"},
		{[]string{"Origin", "http://127.0.0.1:1"}, "another origin"},
		{[]string{"Origin", "file://127.0.0.1:" + port}, "another origin"},
		{[]string{"X-Forwarded-For", "10.0.0.1"}, "auth.mode"},
		{[]string{"X-Forwarded-For", ""}, "auth.mode"},
		{[]string{"X-Forwarded-Host", "hal9.example"}, "auth.mode"},
		{[]string{"X-Forwarded-Proto", "https"}, "auth.mode"},
		{[]string{"Forwarded", "for=10.0.0.1"}, "auth.mode"},
		{[]string{"X-Real-IP", "10.0.0.1"}, "auth.mode"},
		{[]string{"Via", "1.1 proxy"}, "auth.mode"},
	}
	for _, r := range refused {
		for _, path := range []string{"/api/v1/neurons", "/health", "/docs", "/metrics", "/nowhere"} {
			s.ask("GET", path, "", r.header...).problem(403, r.text)
		}
		s.ask("POST", "/api/v1/neurons", `{"id":"evil","layer":"L4"}`, r.header...).problem(403, r.text)
	}
	s.ask("GET", "/api/v1/neurons/evil", "").problem(404)

	for _, header := range [][]string{
		{"Host", "localhost:" + port},
		{"Host", "LOCALHOST."},
		{"Host", "127.9.9.9"},
		{"Host", "[::1]:" + port},
		{"Host", "[::1]"},
		{"Host", "127.0.0.1:" + port, "Origin", "http://127.0.0.1:" + port},
	} {
		s.ask("GET", "/api/v1/neurons", "", header...).want(200)
	}
}

func TestServeRefusesOtherMachines(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "auth.mode") {
		t.Errorf("served: %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for key, config := range map[string]server.Config{
		"auth.mode":              {AuthMode: "closed"},
		"server.tls_cert":        {TLSCert: "cert.pem"},
		"server.cors_origins":    {CORSOrigins: []string{"*"}},
		"limits.per_key":         {Limits: server.Limits{PerKey: -1}},
		"limits.window":          {Limits: server.Limits{Window: -1}},
		"server.request_timeout": {RequestTimeout: -1},
		"server.drain_delay":     {DrainDelay: 20e9, ShutdownTimeout: 20e9},
		"server.max_body_bytes":  {MaxBodyBytes: -1},
		"server.max_json_depth":  {MaxJSONDepth: -1},
		"server.max_page":        {MaxPage: -1},
		"log.access_sample":      {AccessSample: 1.5},
	} {
		if _, err := server.New(server.Deps{Store: s.store, Ingest: s.ingest, Auth: s.auth, Config: config}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := server.New(server.Deps{}); err == nil {
		t.Error("made without a store")
	}
}
