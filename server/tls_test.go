package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

// pair is a certificate for localhost and 127.0.0.1 that signs itself.
type pair struct{ cert, key []byte }

func newPair(t *testing.T, serial int64) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost", "hal9.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// files writes the pair into a folder, over what was there.
func (p pair) files(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, content := range map[string][]byte{cert: p.cert, key: p.key} {
		replaceFile(t, path, content)
	}
	return cert, key
}

// replaceFile puts a whole file in place at once, as those who renew certificates do:
// a server that looks meanwhile sees the old one or the new one, never half of it.
func replaceFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// serveTLS runs a server with a certificate, whose files lie in the folder.
func serveTLS(t *testing.T, change ...func(*server.Deps)) (s *serving, dir string) {
	t.Helper()
	dir = t.TempDir()
	p := newPair(t, 1)
	cert, key := p.files(t, dir)
	s = serve(t, append(change, func(d *server.Deps) {
		d.Config.TLSCert, d.Config.TLSKey, d.Config.HSTSMaxAge = cert, key, time.Hour
	})...)
	s.url = "https://" + s.listener.Addr().String()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.cert)
	s.client = &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	t.Cleanup(s.client.CloseIdleConnections)
	return s, dir
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s, _ := serveTLS(t, inMode(server.AuthRequired))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/livez", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "hal9.example"
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.TLS.Version != tls.VersionTLS13 {
		t.Errorf("%s over TLS %x", resp.Proto, resp.TLS.Version)
	}
	if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=3600" {
		t.Errorf("Strict-Transport-Security %q", got)
	}
	if got := s.ask("GET", "/livez", "").want(200).header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("a loopback name is told %q", got)
	}
	// Over HTTP/2 as over HTTP/1.1: with a body, without one, with none where one is
	// needed, with one too long.
	key := s.key(s.user("ann", auth.RoleUser))
	s.ask("POST", "/api/v1/signal", `{"content":"over HTTP/2","layer":"L4"}`, "X-API-Key", key).want(200)
	s.ask("POST", "/api/v1/signal", "", "X-API-Key", key).problem(400, "body is required")
	s.ask("POST", "/api/v1/signal", "x", "X-API-Key", key, "Content-Type", "text/plain").problem(415)
	s.ask("POST", "/api/v1/signal", strings.Repeat("x", 17<<20), "X-API-Key", key).problem(413)
	s.ask("DELETE", "/api/v1/memories/0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70", "", "X-API-Key", key).problem(404)
	// The oldest version that is spoken is 1.2.
	for version, spoken := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		if err := s.handshake(version); (err == nil) != spoken {
			t.Errorf("TLS %x: %v", version, err)
		}
	}
	// Without TLS nothing is served, and no header tells of it.
	if got := s.raw("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("without TLS: %q", got)
	}
	if got := newServer(t, sqliteEngine).ask("GET", "/livez", "").header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security %q without TLS", got)
	}
}

// handshake connects with one version of TLS alone.
func (s *serving) handshake(version uint16) error {
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: version, MaxVersion: version, InsecureSkipVerify: true, //nolint:gosec // the versions are the test
	}}
	conn, err := dialer.DialContext(s.t.Context(), "tcp", s.listener.Addr().String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// serial is the number of the certificate that a new connection gets.
func (s *serving) serial() int64 {
	s.t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // looked at, not trusted
	conn, err := dialer.DialContext(s.t.Context(), "tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	c, ok := conn.(*tls.Conn)
	if !ok {
		s.t.Fatalf("a connection of type %T", conn)
	}
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificateReloads(t *testing.T) {
	t.Parallel()
	s, dir := serveTLS(t, func(d *server.Deps) { d.Config.TLSReload = 10 * time.Millisecond })
	if got := s.serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	s.ask("GET", "/livez", "").want(200)
	next := newPair(t, 2)
	// Half of the new pair: the old one stays, and the log says so.
	replaceFile(t, filepath.Join(dir, "cert.pem"), next.cert)
	eventually(t, func() bool { return strings.Contains(s.log.String(), "the old one stays") })
	if got := s.serial(); got != 1 {
		t.Errorf("serial %d after half a pair", got)
	}
	next.files(t, dir)
	eventually(t, func() bool { return s.serial() == 2 })
	if n := strings.Count(s.log.String(), "the old one stays"); n != 1 {
		t.Errorf("told %d times", n)
	}
	s.ask("GET", "/livez", "").want(200) // over the old connection: it lives on
}

// What SIGHUP asks for.
func TestReloadCertificate(t *testing.T) {
	t.Parallel()
	s, dir := serveTLS(t, func(d *server.Deps) { d.Config.TLSReload = time.Hour })
	newPair(t, 3).files(t, dir)
	if err := s.server.ReloadCertificate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.serial(); got != 3 {
		t.Errorf("serial %d", got)
	}
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if err := s.server.ReloadCertificate(t.Context()); err == nil || !strings.Contains(err.Error(), "server.tls_key") {
		t.Errorf("without a key: %v", err)
	}
	if got := s.serial(); got != 3 {
		t.Errorf("serial %d without a key", got)
	}
	if err := newServer(t, sqliteEngine).server.ReloadCertificate(context.Background()); err != nil {
		t.Errorf("without TLS: %v", err)
	}
}

func TestBadCertificates(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	dir, other := t.TempDir(), t.TempDir()
	good := newPair(t, 1)
	cert, key := good.files(t, dir)
	_, foreign := newPair(t, 2).files(t, other)
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.pem")
	if err := os.WriteFile(broken, bytes.Replace(good.key, []byte("\nM"), []byte("\nX"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cert, key, want string }{
		{filepath.Join(dir, "none.pem"), key, "server.tls_cert"},
		{cert, filepath.Join(dir, "none.pem"), "server.tls_key"},
		{empty, key, "server.tls_cert"},
		{cert, empty, "server.tls_key"},
		{cert, cert, "server.tls_key"},
		{key, key, "server.tls_cert"},
		{cert, foreign, "server.tls_key"},
		{cert, broken, "server.tls_key"},
		{cert, "", "server.tls_key"},
	} {
		_, err := server.New(server.Deps{
			Store: s.store, Ingest: s.ingest, Auth: s.auth, Config: server.Config{TLSCert: c.cert, TLSKey: c.key},
		})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s and %s: %v", c.cert, c.key, err)
		}
	}
}
