// Package netcause names, for servers of any kind, the causes for which no connection came
// about. Its words hold nothing that a server said.
package netcause

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Cause is why no connection came about, in a clause. Who knows what kind of server it was
// may add what mends it.
type Cause string

// The causes.
const (
	NoHost           Cause = "no host of this name is known"
	NoLookup         Cause = "the host's name cannot be looked up"
	NobodyListens    Cause = "nobody listens there"
	NoWay            Cause = "no way leads there"
	NoAnswer         Cause = "nobody answered in time"
	NoSocket         Cause = "there is no such socket"
	Closed           Cause = "the connection was closed"
	OtherName        Cause = "the server's certificate is for another name than the URL's host"
	UnknownAuthority Cause = "the server's certificate is of an authority that is not known here"
	NotValid         Cause = "the server's certificate is not valid"
)

// Of looks at types and numbers of an error, never at texts. It is empty for what is none of
// the causes.
func Of(err error) Cause {
	for _, because := range []func(error) Cause{byName, byNetwork, byCertificate} {
		if cause := because(err); cause != "" {
			return cause
		}
	}
	return ""
}

func byName(err error) Cause {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return ""
	case dns.IsNotFound:
		return NoHost
	default:
		return NoLookup
	}
}

func byNetwork(err error) Cause {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return NobodyListens
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return NoWay
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return NoAnswer
	case errors.Is(err, syscall.ENOENT):
		return NoSocket
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return Closed
	default:
		return ""
	}
}

func isTimeout(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return ok && network.Timeout()
}

func byCertificate(err error) Cause {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return OtherName
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return UnknownAuthority
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return NotValid
	}
	return ""
}
