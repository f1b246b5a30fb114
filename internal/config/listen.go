package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

func listenAddress() check {
	return check{"host:port", func(v any) *fault {
		s, ok := v.(string)
		if !ok {
			s = ""
		}
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return &fault{quote(s) + " is no address with a port", "write host:port, such as 127.0.0.1:8080 or [::1]:8080"}
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return &fault{quote(s) + " has no valid port", "use a port from 0 to 65535, such as 127.0.0.1:8080"}
		}
		return nil
	}}
}

// IsLoopback tells whether a listen address can be reached from this machine
// only. An empty host means all addresses, and a name other than localhost
// might resolve to anything: neither is loopback.
func IsLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
