package cacheutil

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The parameters of a URL.
const (
	paramAddr             = "addr"
	paramDB               = "db"
	paramCluster          = "cluster"
	paramMasterSet        = "master_set"
	paramSentinelUsername = "sentinel_username"
	paramSentinelPassword = "sentinel_password"
	paramClientName       = "client_name"
	paramCA               = "tls_ca"
	paramCert             = "tls_cert"
	paramKey              = "tls_key"
	paramServerName       = "tls_server_name"
)

// parameters are those of a URL.
type parameters struct {
	query url.Values
}

func (p parameters) get(name string) string { return p.query.Get(name) }

// check refuses parameters that would do nothing.
func (p parameters) check() error {
	known := []string{
		paramAddr, paramDB, paramCluster, paramMasterSet, paramSentinelUsername, paramSentinelPassword,
		paramClientName, paramCA, paramCert, paramKey, paramServerName,
	}
	for name, values := range p.query {
		switch {
		case name == "skip_verify":
			return errors.New("parameter skip_verify is not offered: name the authority that signed the server's certificate in tls_ca")
		case !slices.Contains(known, name):
			// The name may be a part of a password that was not encoded.
			if len(name) > 32 || strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
				name = "(unreadable)"
			}
			return fmt.Errorf("parameter %s is unknown: remove it; there are %s", name, strings.Join(known, ", "))
		case name != paramAddr && len(values) > 1:
			return fmt.Errorf("parameter %s is given %d times: keep one", name, len(values))
		case values[0] == "" && name != paramSentinelPassword:
			return fmt.Errorf("parameter %s is empty: give it a value, or remove it", name)
		}
	}
	return nil
}

func (p parameters) flag(name string) (bool, error) {
	if !p.query.Has(name) {
		return false, nil
	}
	value, err := strconv.ParseBool(p.get(name))
	if err != nil {
		return false, fmt.Errorf("parameter %s is neither true nor false", name)
	}
	return value, nil
}

// db is the number in the path or in the parameter.
func (p parameters) db(path string) (int, error) {
	number := strings.TrimPrefix(path, "/")
	if p.query.Has(paramDB) {
		if number != "" {
			return 0, errors.New("parameter db and the path both name the database: remove one")
		}
		number = p.get(paramDB)
	}
	if number == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(number, 10, 15)
	if err != nil {
		// It may be a part of a password that was not encoded.
		return 0, errors.New("the database, after the host or in parameter db, is no number: write /0, or percent-encode / in the password as %2F")
	}
	return int(n), nil
}

// tls reads the certificates that the parameters name. The server's name is left
// to the dialer, which knows to which of several servers it connects.
func (p parameters) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: p.get(paramServerName)}
	if file := p.get(paramCA); file != "" {
		text, err := os.ReadFile(file) //nolint:gosec // the operator names it
		if err != nil {
			return nil, fileError{fmt.Errorf("parameter tls_ca: %w: name a file of PEM certificates that the program may read", err)}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fileError{fmt.Errorf("parameter tls_ca: %s holds no PEM certificate: name the file of the authority, not of a key", file)}
		}
	}
	cert, key := p.get(paramCert), p.get(paramKey)
	if (cert == "") != (key == "") {
		return nil, errors.New("parameters tls_cert and tls_key belong together: add the missing one, or remove both")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fileError{fmt.Errorf("parameters tls_cert and tls_key: %w: name PEM files of one pair", err)}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// fileError is the fault of a file that a URL names, an ErrURLFile.
type fileError struct{ error }

func (fileError) Is(target error) bool { return target == ErrURLFile }

func (e fileError) Unwrap() error { return e.error }
