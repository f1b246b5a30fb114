package cacheutil

import (
	"context"
	"errors"
	"strings"

	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/internal/netcause"
)

// The first word of an error of Valkey's is its code. A replica says the first of these.
const (
	codeReadOnly    = "READONLY"
	codeNoAuth      = "NOAUTH"
	codeWrongPass   = "WRONGPASS"
	codeNoPerm      = "NOPERM"
	codeClusterOnly = "MOVED"
)

// why says why Valkey is of no use, and what mends it where that is known. Its words hold
// no password. What Valkey says names commands, and at most the cache's own keys.
func why(err error) string {
	if refusal, ok := errors.AsType[*valkey.ValkeyError](err); ok {
		return whyRefused(refusal.Error())
	}
	switch cause := netcause.Of(err); cause {
	case "":
		return err.Error()
	case netcause.NoAnswer:
		return string(cause) + "; a server without TLS says nothing to rediss:// and valkeys://"
	case netcause.Closed:
		return string(cause) + ": is it Valkey that listens there, with TLS if the URL is rediss:// or valkeys:// and without if not, and does it ask for a certificate (tls_cert)?"
	case netcause.UnknownAuthority:
		return string(cause) + ": name its file by tls_ca in the URL"
	default:
		return string(cause)
	}
}

func whyRefused(text string) string {
	code, _, _ := strings.Cut(text, " ")
	switch code {
	case codeWrongPass, codeNoAuth:
		return "the user or the password was refused"
	case codeReadOnly:
		return "it is a replica, which takes no writes: name its primary in the URL, or Sentinels, who know it"
	case codeNoPerm:
		return "the user lacks a right that the cache needs: " + text
	case codeClusterOnly:
		return "it is a node of a cluster: add cluster=true to the URL"
	default:
		return text
	}
}

// refused records that Valkey answers, and not what it is asked for, and says so once.
func (k *keeper) refused(ctx context.Context, err error) {
	if _, ok := errors.AsType[*valkey.ValkeyError](err); !ok {
		return // it did not answer, which the breaker judges
	}
	because := why(err)
	if before := k.trouble.Swap(&because); before == nil || *before != because {
		k.log.WarnContext(ctx, "Valkey refuses what the cache needs; the cache works without it", "address", k.address(), "error", because)
	}
}

// address is where the URL leads to.
func (k *keeper) address() string { return strings.Join(k.option.InitAddress, ", ") }
