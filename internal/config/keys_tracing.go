package config

import (
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// tracingKeys are about traces; what they hold is in docs/operations/traces.md.
func tracingKeys() []Key {
	return []Key{
		{
			Name: "tracing.endpoint", Secret: true, check: otlpURL(),
			Help: "Where traces are sent by OTLP over HTTP, such as http://localhost:4318; /v1/traces is added to a URL without a path. Empty: there are no traces, and they cost nothing.",
		},
		{
			Name: "tracing.sample_ratio", Default: "0.1", check: fraction(),
			Help: "The share of requests that are traced. A request that comes with a traceparent follows its caller's decision instead.",
		},
		{
			Name: "tracing.headers", Hidden: true, check: headers(),
			Help: "Headers that are sent along with traces, as name=value, such as a collector's token. Shown to nobody; better given by the environment than by a flag.",
		},
	}
}

func otlpURL() check {
	return check{"http://… or https://…", func(v any) *fault {
		text, _ := v.(string)
		if text == "" {
			return nil
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return &fault{"this is no URL of a collector", "write its address as in http://localhost:4318"}
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return &fault{"a user, query or fragment is not sent", "give credentials as tracing.headers"}
		}
		return nil
	}}
}

// headers repeats no part of what it refuses.
func headers() check {
	return check{"name=value", func(v any) *fault {
		list, _ := v.(List)
		for _, item := range list.Items() {
			if _, _, ok := headerOf(item); !ok {
				return &fault{"a header is not name=value", "write it as in authorization=Bearer …, parted by commas; its value may hold no comma"}
			}
		}
		return nil
	}}
}

func headerOf(item string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(item, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	return name, value, ok && httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value)
}
