package cacheutil

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"
)

// URLExamples are shown wherever a URL cannot be read.
const URLExamples = "write redis://user:password@host:6379/0, rediss://… for TLS, or add " +
	"?addr=host2:26379&master_set=NAME for Sentinel or ?addr=host2:6379&cluster=true for a cluster"

const (
	valkeyPort   = "6379"
	sentinelPort = "26379"
)

// ErrURL says that a URL is none of a cache server. ErrURLFile is of a file that one names:
// on another machine it may be well.
var (
	ErrURL     = errors.New("the cache's URL")
	ErrURLFile = errors.New("a file of the cache's URL")
)

// ParseURL reads the URL of a Valkey or Redis:
//
//	redis://user:password@host:6379/0           one server; also valkey://
//	rediss://host:6379?tls_ca=/etc/ca.pem       the same by TLS; also valkeys://
//	unix:///run/valkey.sock?db=0                a socket
//	redis://s1:26379?addr=s2:26379&master_set=app   the master that Sentinels name
//	redis://n1:6379?addr=n2:6379&cluster=true   a cluster
//
// Host and port default to localhost and 6379, or 26379 for Sentinels. User and
// password are those of the servers that hold data; Sentinels have their own in
// sentinel_username and sentinel_password. Several addresses without master_set
// are a cluster. TLS takes the authorities of the machine, or those in the file
// tls_ca alone; tls_server_name is the name in the certificate where it is not the
// host's; tls_cert and tls_key are the client's own certificate. It is used to the
// Sentinels too. TLS below 1.2 and unverified certificates are not offered.
//
// The option says where to connect and as whom. Time-outs, buffers and pools are
// the caller's. Errors wrap ErrURL, and name the parameter and the mend; they never hold the URL,
// which may have a password in it.
func ParseURL(raw string) (valkey.ClientOption, error) {
	option, err := parseURL(raw)
	if err != nil {
		return valkey.ClientOption{}, fmt.Errorf("%w: %w", ErrURL, err)
	}
	return option, nil
}

func parseURL(raw string) (valkey.ClientOption, error) {
	var option valkey.ClientOption
	u, err := url.Parse(raw)
	if err != nil {
		// The error repeats the URL.
		return option, errors.New("it is no valid URL: check host and port, and percent-encode special characters in the password (@ is %40, / is %2F, : is %3A, # is %23, % is %25)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return option, errors.New("its parameters cannot be read: percent-encode special characters in their values, and separate them by &")
	}
	if u.Fragment != "" || u.Opaque != "" {
		return option, errors.New("it has a # or no //: percent-encode # as %23; " + URLExamples)
	}
	p := parameters{query: query}
	if err := p.check(); err != nil {
		return option, err
	}
	if u.User != nil {
		option.Username = u.User.Username()
		option.Password, _ = u.User.Password()
	}
	option.ClientName = p.get(paramClientName)

	switch u.Scheme {
	case "unix":
		return socket(option, u, p)
	case "redis", "valkey":
		for _, name := range []string{paramCA, paramCert, paramKey, paramServerName} {
			if query.Has(name) {
				return option, fmt.Errorf("parameter %s is for TLS: begin the URL with rediss:// or valkeys://, or remove it", name)
			}
		}
	case "rediss", "valkeys":
		if option.TLSConfig, err = p.tls(); err != nil {
			return option, err
		}
	default:
		return option, fmt.Errorf("scheme %q names no cache server: %s", u.Scheme, URLExamples)
	}
	if err := topology(&option, u, p); err != nil {
		return option, err
	}
	option.SelectDB, err = p.db(u.Path)
	if err != nil {
		return option, err
	}
	if option.SelectDB != 0 && option.Sentinel.MasterSet == "" && !option.ForceSingleClient {
		return option, errors.New("a cluster has only database 0: remove the number from the path or from parameter db")
	}
	return option, nil
}

// topology tells what the addresses are of.
func topology(option *valkey.ClientOption, u *url.URL, p parameters) error {
	masterSet := p.get(paramMasterSet)
	cluster, err := p.flag(paramCluster)
	if err != nil {
		return err
	}
	if masterSet != "" && cluster {
		return errors.New("parameters master_set and cluster exclude each other: Sentinels watch servers that are no cluster; remove one of them")
	}
	port := valkeyPort
	if masterSet != "" {
		port = sentinelPort
	}
	for _, address := range append([]string{u.Host}, p.query[paramAddr]...) {
		address, err := completeAddress(address, port)
		if err != nil {
			return err
		}
		option.InitAddress = append(option.InitAddress, address)
	}
	option.Sentinel = valkey.SentinelOption{
		MasterSet: masterSet,
		Username:  p.get(paramSentinelUsername),
		Password:  p.get(paramSentinelPassword),
		TLSConfig: option.TLSConfig,
	}
	if masterSet == "" {
		if p.query.Has(paramSentinelUsername) || p.query.Has(paramSentinelPassword) {
			return errors.New("parameters sentinel_username and sentinel_password need master_set, the name by which the Sentinels know the master: add it, or remove them")
		}
		option.ForceSingleClient = !cluster && len(option.InitAddress) == 1
		if len(option.InitAddress) > 1 && p.query.Has(paramCluster) && !cluster {
			return errors.New("there are several addresses and parameter cluster is false: remove all but one, or cluster=false, or name the Sentinels' master in master_set")
		}
	}
	return nil
}

// completeAddress adds what is missing of host and port.
func completeAddress(address, defaultPort string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		// Most likely there is no port.
		host, port, err = net.SplitHostPort(address + ":" + defaultPort)
	}
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = defaultPort
	}
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 || strings.ContainsAny(host, "@/, ") {
		return "", errors.New("an address, of the URL or of parameter addr, is no host:port: write each further server as addr=host:port, IPv6 in brackets")
	}
	return net.JoinHostPort(host, port), nil
}

// socket is the option of a Unix domain socket.
func socket(option valkey.ClientOption, u *url.URL, p parameters) (valkey.ClientOption, error) {
	for name := range p.query {
		if name != paramDB && name != paramClientName {
			return option, fmt.Errorf("parameter %s is not for a socket: remove it; a socket takes %s and %s", name, paramDB, paramClientName)
		}
	}
	if u.Host != "" || u.Path == "" || strings.HasSuffix(u.Path, "/") {
		return option, errors.New("a socket's URL needs its absolute path: write unix:///run/valkey.sock")
	}
	var err error
	option.InitAddress = []string{u.Path}
	option.DialCtxFn = dialSocket
	option.ForceSingleClient = true
	option.SelectDB, err = p.db("")
	return option, err
}

// dialSocket connects to a Unix domain socket.
func dialSocket(ctx context.Context, path string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connect to the socket: %w", err)
	}
	return conn, nil
}
