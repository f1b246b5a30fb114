package cacheutil_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]struct {
		addresses          []string
		user, password     string
		db                 int
		master             string
		single, encrypted  bool
		sentinelUser, name string
	}{
		"redis://h":                          {addresses: []string{"h:6379"}, single: true},
		"redis://":                           {addresses: []string{"localhost:6379"}, single: true},
		"valkey://:pw@h:1/2":                 {addresses: []string{"h:1"}, password: "pw", db: 2, single: true},
		"redis://u:p%40%2F%3A@[::1]:7/?db=3": {addresses: []string{"[::1]:7"}, user: "u", password: "p@/:", db: 3, single: true},
		"rediss://h?client_name=hal9":        {addresses: []string{"h:6379"}, single: true, encrypted: true, name: "hal9"},
		"valkeys://h:1":                      {addresses: []string{"h:1"}, single: true, encrypted: true},
		"unix:///run/valkey.sock?db=4":       {addresses: []string{"/run/valkey.sock"}, db: 4, single: true},
		"unix://u:p@/run/valkey.sock":        {addresses: []string{"/run/valkey.sock"}, user: "u", password: "p", single: true},
		"redis://a/1?addr=b&addr=[::1]:5&master_set=app&sentinel_username=s": {
			addresses: []string{"a:26379", "b:26379", "[::1]:5"}, db: 1, master: "app", sentinelUser: "s",
		},
		"rediss://u:p@a?master_set=app":     {addresses: []string{"a:26379"}, user: "u", password: "p", master: "app", encrypted: true},
		"redis://a:1?addr=b:2&cluster=true": {addresses: []string{"a:1", "b:2"}},
		"redis://a:1?cluster=true":          {addresses: []string{"a:1"}},
		"redis://a:1?addr=b:2":              {addresses: []string{"a:1", "b:2"}},
		"redis://a:1/0?cluster=false":       {addresses: []string{"a:1"}, single: true},
	} {
		got, err := cacheutil.ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if !slices.Equal(got.InitAddress, want.addresses) || got.Username != want.user || got.Password != want.password ||
			got.SelectDB != want.db || got.Sentinel.MasterSet != want.master || got.ForceSingleClient != want.single ||
			(got.TLSConfig != nil) != want.encrypted || got.Sentinel.Username != want.sentinelUser || got.ClientName != want.name {
			t.Errorf("%s: got %+v, want %+v", raw, got, want)
		}
		if got.TLSConfig != got.Sentinel.TLSConfig && want.master != "" {
			t.Errorf("%s: the Sentinels are not asked by TLS", raw)
		}
	}
}

// Every error names the parameter, says what to do, and keeps the password.
func TestParseURLErrors(t *testing.T) {
	dir := t.TempDir()
	noCertificate := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(noCertificate, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	const secret = "s3cret"
	for raw, want := range map[string][]string{
		"redis://u:s3cret@h:port":                       {"check host and port"},
		"redis://u:s3cret/s3cret@h":                     {"percent-encode"},
		"redis://u:#s3cret@h":                           {"percent-encode"},
		"redis://u:s3cret?s3cret@h":                     {"percent-encode"},
		"redis:u:s3cret@h":                              {"//"},
		"memcached://u:s3cret@h":                        {"memcached", "redis://"},
		"":                                              {"redis://"},
		"redis://u:s3cret@h/one":                        {"database", "/0"},
		"redis://u:s3cret@h/1?db=1":                     {"db", "remove"},
		"redis://u:s3cret@h/-1":                         {"database"},
		"redis://u:s3cret@h?db=":                        {"db", "empty"},
		"redis://u:s3cret@h?db=1&db=2":                  {"db", "keep one"},
		"redis://u:s3cret@h?tls_ca=/x":                  {"tls_ca", "rediss://"},
		"rediss://u:s3cret@h?tls_ca=" + dir + "/none":   {"tls_ca", "name a file"},
		"rediss://u:s3cret@h?tls_ca=" + noCertificate:   {"tls_ca", "PEM"},
		"rediss://u:s3cret@h?tls_cert=/x":               {"tls_key", "add"},
		"rediss://u:s3cret@h?tls_key=/x&tls_cert=/y":    {"tls_cert", "PEM"},
		"rediss://u:s3cret@h?skip_verify=true":          {"skip_verify", "tls_ca"},
		"redis://u:s3cret@h?pool=4":                     {"pool", "remove", "master_set"},
		"redis://u:s3cret@h?master_set=a&cluster=true":  {"master_set", "cluster", "remove"},
		"redis://u:s3cret@h?cluster=maybe":              {"cluster", "true"},
		"redis://u:s3cret@h?addr=b&cluster=false":       {"cluster", "master_set"},
		"redis://u:s3cret@h/1?cluster=true":             {"cluster", "db"},
		"redis://u:s3cret@h?addr=b:0":                   {"addr", "host:port"},
		"redis://u:s3cret@h?addr=u:s3cret@b:1":          {"addr", "host:port"},
		"redis://u:s3cret@h?addr=b,c":                   {"addr", "further server"},
		"redis://u:s3cret@h?sentinel_password=s3cret":   {"sentinel_password", "master_set"},
		"redis://u:s3cret@h?client_name=%zz":            {"percent-encode"},
		"unix://u:s3cret@host/run/valkey.sock":          {"unix:///"},
		"unix:///run/":                                  {"unix:///"},
		"unix://u:s3cret@/run/valkey.sock?master_set=a": {"master_set", "socket"},
		"unix:///run/valkey.sock?db=x":                  {"db"},
	} {
		_, err := cacheutil.ParseURL(raw)
		if err == nil {
			t.Errorf("%s is taken", raw)
			continue
		}
		for _, text := range want {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q does not tell %q", raw, err, text)
			}
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the password: %v", raw, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("redis", "u", "s3cr3t-pa55word", "h:1", "db=1&tls_ca=x")
	f.Add("rediss", "", "s3cr3t/pa55word", "h?x", "addr=")
	f.Add("unix", "#", "s3cr3t?pa55word@", "", "cluster=1&master_set=%")
	f.Fuzz(func(t *testing.T, scheme, user, password, host, query string) {
		_, err := cacheutil.ParseURL(scheme + "://" + user + ":" + password + "@" + host + "?" + query)
		if err != nil && len(password) > 12 && strings.Contains(err.Error(), password) {
			t.Errorf("the error tells the password: %v", err)
		}
	})
}
