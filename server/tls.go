package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// certificates is the certificate of this server. It is read again when one of its
// files changes: those who renew certificates replace the files and restart nothing.
type certificates struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time
	current           atomic.Pointer[tls.Certificate]

	mu   sync.Mutex
	seen [sha256.Size]byte // what the files held when they were last read
}

// ErrCertificate says that a server was not made because of its certificate or key.
var ErrCertificate = errors.New("the certificate cannot be used")

// loadCertificates reads the pair. Its errors are ErrCertificate and name the settings.
func loadCertificates(certFile, keyFile string, log *slog.Logger, now func() time.Time) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, log: log, now: now}
	cert, key, err := c.readFiles()
	if err == nil {
		err = c.use(cert, key)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return c, nil
}

// CertificateExpiry reads the pair that a server would take, and tells when its certificate
// expires. Its errors begin with the setting.
func CertificateExpiry(certFile, keyFile string) (time.Time, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, log: slog.New(slog.DiscardHandler), now: time.Now}
	cert, key, err := c.readFiles()
	if err == nil {
		err = c.use(cert, key)
	}
	if err != nil {
		return time.Time{}, err
	}
	return c.leaf().NotAfter, nil
}

func (c *certificates) readFiles() (cert, key []byte, err error) {
	if cert, err = os.ReadFile(c.certFile); err != nil {
		return nil, nil, fmt.Errorf("server.tls_cert: %w; name a PEM file that this user may read", err)
	}
	if key, err = os.ReadFile(c.keyFile); err != nil {
		return nil, nil, fmt.Errorf("server.tls_key: %w; name a PEM file that this user may read", err)
	}
	return cert, key, nil
}

// use takes the pair into service if it is one.
func (c *certificates) use(cert, key []byte) error {
	c.seen = digest(cert, key)
	if !bytes.Contains(key, []byte("PRIVATE KEY-----")) {
		return fmt.Errorf("server.tls_key: %s holds no private key in PEM; name the file of the key", c.keyFile)
	}
	if !bytes.Contains(cert, []byte("-----BEGIN CERTIFICATE-----")) {
		return fmt.Errorf("server.tls_cert: %s holds no certificate in PEM; name the file of the certificate with its chain", c.certFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("server.tls_cert: %s and server.tls_key, %s, make no pair: %w; name the key that the certificate was made for", c.certFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	if leaf := pair.Leaf; leaf != nil && c.now().After(leaf.NotAfter) {
		c.log.Warn("the certificate has expired", slog.String("key", "server.tls_cert"), slog.Time("not_after", leaf.NotAfter))
	}
	return nil
}

func digest(cert, key []byte) [sha256.Size]byte {
	return sha256.Sum256(bytes.Join([][]byte{cert, key}, []byte{0}))
}

// reload reads the files again. A pair that is none leaves the old one in service:
// files are seldom replaced both at once. Files that did not change are left alone
// unless anew asks for them.
func (c *certificates) reload(ctx context.Context, anew bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, key, err := c.readFiles()
	if err != nil {
		return err
	}
	if digest(cert, key) == c.seen && !anew {
		return nil
	}
	if err := c.use(cert, key); err != nil {
		return err
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "serving with a new certificate", slog.Time("not_after", c.leaf().NotAfter))
	return nil
}

// watch reloads whenever a file has changed, until ctx ends. The files are compared
// by what they hold: times do not tell of a link that points elsewhere now.
func (c *certificates) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := c.reload(ctx, false)
			if err == nil {
				told = ""
			} else if told != err.Error() {
				told = err.Error()
				c.log.LogAttrs(ctx, slog.LevelError, "the new certificate cannot be used; the old one stays", slog.String("error", told))
			}
		}
	}
}

// leaf is the certificate itself, without its chain.
func (c *certificates) leaf() *x509.Certificate { return c.current.Load().Leaf }

// config is how connections are made: TLS 1.2 or 1.3, with the library's choice of
// ciphers.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{protocolHTTP2, protocolHTTP1},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// ReloadCertificate reads the files of the certificate again, also if they did not
// change. Without TLS it does nothing; a pair that cannot be used leaves the old one
// in service.
func (s *Server) ReloadCertificate(ctx context.Context) error {
	if s.certs == nil {
		return nil
	}
	return s.certs.reload(ctx, true)
}

// prepareTLS reads the certificate, if there is to be one.
func (s *Server) prepareTLS() error {
	if s.cfg.TLSCert == "" {
		return nil
	}
	var err error
	if s.certs, err = loadCertificates(s.cfg.TLSCert, s.cfg.TLSKey, s.log, s.now); err != nil {
		return err
	}
	if age := seconds(s.cfg.HSTSMaxAge); age > 0 {
		s.hsts = "max-age=" + strconv.Itoa(age)
	}
	return nil
}
