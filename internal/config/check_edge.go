package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// anyText accepts everything that could be read.
func anyText(allowed string) check {
	return check{allowed, func(any) *fault { return nil }}
}

func prefixes() check {
	return check{"addresses and CIDR blocks", func(v any) *fault {
		list, _ := v.(List)
		_, err := parsePrefixes(list)
		return err
	}}
}

// TrustedPrefixes returns server.trusted_proxies as address blocks. A Config that is
// valid has no faulty ones.
func (s *Server) TrustedPrefixes() []netip.Prefix {
	all, _ := parsePrefixes(s.TrustedProxies)
	return all
}

// parsePrefixes reads addresses and CIDR blocks.
func parsePrefixes(list List) ([]netip.Prefix, *fault) {
	var all []netip.Prefix
	for _, item := range list.Items() {
		prefix, err := parsePrefix(item)
		if err != nil {
			return nil, &fault{quote(item) + " is no address and no CIDR block", "write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32, with commas between them"}
		}
		if prefix.Bits() == 0 {
			return nil, &fault{quote(item) + " trusts every client to say where it is", "name the addresses of the proxies alone"}
		}
		all = append(all, prefix)
	}
	return all, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return p, err //nolint:wrapcheck // the caller words it
		}
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err //nolint:wrapcheck // the caller words it
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// origins accepts what browsers send as Origin, spelt as they spell it: it is
// compared byte by byte.
func origins() check {
	return check{"origins such as https://app.example.org", func(v any) *fault {
		list, _ := v.(List)
		for i, item := range list.Items() {
			if reason := badOrigin(item); reason != "" {
				return &fault{fmt.Sprintf("the origin at place %d %s", i+1, reason), "write scheme://host or scheme://host:port in small letters, such as https://app.example.org, with commas between them"}
			}
		}
		return nil
	}}
}

func badOrigin(text string) string {
	if text == "*" {
		return "stands for every web page; name those that you mean"
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "is no http or https origin"
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.ForceQuery:
		return "has more than scheme, host and port"
	case text != u.Scheme+"://"+strings.ToLower(u.Host), strings.Contains(u.Host, "*"):
		return "is not spelt as browsers spell it"
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		return "names the port that browsers leave out"
	default:
		return ""
	}
}
