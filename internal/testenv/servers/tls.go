package servers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"
)

// The files of a set that StartCacheTLS started, in its directory.
const (
	TLSAuthority  = "ca.pem"
	TLSClientCert = "client.pem"
	TLSClientKey  = "client.key"
)

// TLSPassword is the password of the user default of StartCacheTLS's server.
const TLSPassword = "p@ss/word"

// StartCacheTLS starts a Valkey or Redis that takes TLS connections alone, from
// clients with a certificate of its authority and TLSPassword. Its own is for
// 127.0.0.1 and localhost. The authority's and a client's certificate lie in the
// set's directory.
func StartCacheTLS(ctx context.Context) (*Set, error) {
	return buildSet(ctx, func(ctx context.Context, s *Set) error {
		option, err := s.writeCertificates()
		if err != nil {
			return err
		}
		file := func(name string) string { return filepath.Join(s.Dir(), name) }
		query := url.Values{"tls_ca": {file(TLSAuthority)}, "tls_cert": {file(TLSClientCert)}, "tls_key": {file(TLSClientKey)}}
		_, err = s.add(ctx, node{
			name: "node",
			arguments: func(port int) []string {
				return []string{
					"--port", "0", "--tls-port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", file("node"),
					"--save", "", "--appendonly", "no", "--requirepass", TLSPassword, "--tls-auth-clients", "yes",
					"--tls-cert-file", file("server.pem"), "--tls-key-file", file("server.key"), "--tls-ca-cert-file", file(TLSAuthority),
				}
			},
			url: func(port int) string {
				return fmt.Sprintf("rediss://:%s@127.0.0.1:%d/0?%s", url.QueryEscape(TLSPassword), port, query.Encode())
			},
			option: func(port int) valkey.ClientOption {
				option := option
				option.InitAddress = []string{"127.0.0.1:" + strconv.Itoa(port)}
				return option
			},
		})
		return err
	})
}

// writeCertificates makes an authority, a server's and a client's certificate, and
// returns how to connect with them.
func (s *Set) writeCertificates() (valkey.ClientOption, error) {
	var option valkey.ClientOption
	authority, err := newCertificate(nil, "test authority")
	if err != nil {
		return option, err
	}
	server, err := newCertificate(authority, "localhost")
	if err != nil {
		return option, err
	}
	client, err := newCertificate(authority, "client")
	if err != nil {
		return option, err
	}
	for name, text := range map[string][]byte{
		TLSAuthority: authority.cert, "server.pem": server.cert, "server.key": server.key,
		TLSClientCert: client.cert, TLSClientKey: client.key,
	} {
		if err := s.writeFile(filepath.Join(s.Dir(), name), text); err != nil {
			return option, err
		}
	}
	pair, err := tls.X509KeyPair(client.cert, client.key)
	if err != nil {
		return option, fmt.Errorf("read the client's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.cert) {
		return option, errors.New("the authority's certificate cannot be read")
	}
	option.Password = TLSPassword
	option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}
	return option, nil
}

// certificate is a certificate and its key, in PEM and to sign others with.
type certificate struct {
	cert, key []byte
	parsed    *x509.Certificate
	private   *ecdsa.PrivateKey
}

// newCertificate makes a certificate that is valid for a day, signed by the
// authority or, without one, an authority's own.
func newCertificate(authority *certificate, name string) (*certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{name},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := template, private
	if authority == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage |= x509.KeyUsageCertSign
		template.DNSNames, template.IPAddresses, template.ExtKeyUsage = nil, nil, nil
	} else {
		parent, signer = authority.parsed, authority.private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", name, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %s: %w", name, err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encode the key of %s: %w", name, err)
	}
	return &certificate{
		cert:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		parsed:  parsed,
		private: private,
	}, nil
}
