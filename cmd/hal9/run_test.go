package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
)

// outcome is what a command line did.
type outcome struct {
	code        int
	out, errors string
}

// hal9 runs a command line with an environment of its own.
func hal9(t *testing.T, environ []string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), args, strings.NewReader(""), &stdout, &stderr, environ)
	return outcome{code, stdout.String(), stderr.String()}
}

func (o outcome) want(t *testing.T, code int, out, errors string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.out, out) || !strings.Contains(o.errors, errors) {
		t.Errorf("exit %d, stdout:\n%s\nstderr:\n%s\nwant %d, %q, %q", o.code, o.out, o.errors, code, out, errors)
	}
	if code != exitOK && o.out != "" {
		t.Errorf("a failure wrote to stdout: %q", o.out)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	hal9(t, nil).want(t, exitOK, "Usage: hal9 <command>", "")
	root := hal9(t, nil, "--help")
	root.want(t, exitOK, "Exit codes: 0 success", "")

	// It lists every command; TestEveryCommand asks each for its help.
	_, list, _ := strings.Cut(root.out, "Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for _, n := range leaves(t) {
		if !strings.Contains(list, "  "+strings.TrimPrefix(n.Path(), "hal9 ")) {
			t.Errorf("no %s in\n%s", n.Path(), root.out)
		}
	}
}

func TestHelpShowsSettingsInGroups(t *testing.T) {
	t.Parallel()
	help := strings.Join(strings.Fields(hal9(t, nil, "config", "print", "--help").out), " ")
	for _, s := range config.Sections() {
		if !strings.Contains(help, s.Title+": --"+s.Name+"-") {
			t.Errorf("no group %q", s.Title)
		}
	}
	for _, k := range config.Keys() {
		if k.Flag == "" {
			continue
		}
		def := "default " + k.Default
		if k.Default == "" {
			def = "no default"
		}
		// Lines may break at hyphens of flags only, never within a word.
		for _, want := range []string{"--" + k.Flag + "=", "(" + def + ", $" + k.Env + ")"} {
			if !strings.Contains(help, want) {
				t.Errorf("the help lacks %q", want)
			}
		}
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"serf"}, "hal9: unexpected argument serf"},
		{[]string{"config"}, `expected one of "print", "check", "reference"`},
		{[]string{"config", "print", "--databse-url=x"}, `did you mean "--database-url"?`},
		{[]string{"config", "print", "extra"}, "Run 'hal9 config print --help' for usage."},
		{[]string{"config", "print", "postgres://u:sekret@h/d"}, "unexpected argument postgres://***@h/d"},
		{[]string{"config", "check", "--database-url"}, "hal9: --database-url: needs a value\n"},
		{[]string{"--log-level=info", "config", "check"}, "Settings go behind the command that uses them, as in: hal9 config print --log-level=…"},
		{[]string{"version", "--database-url=x"}, "unknown flag --database-url"},
		{[]string{"healthcheck", "--database-url=x"}, "unknown flag --database-url"},
		{[]string{"healthcheck", "--timeout=soon"}, "--timeout"},
		{[]string{"healthcheck", "--timeout=0s"}, "--timeout must be longer than 0"},
		{[]string{"healthcheck", "--url=ftp://x"}, "--url is no HTTP address"},
		{[]string{"healthcheck", "--url=http://u:sekret@h:x"}, "--url is no HTTP address"},
		{[]string{"healthcheck", "--url=http://h", "--server-listen=127.0.0.1:1"}, "--url leaves no use for"},
		{[]string{"healthcheck", "--server-listen=127.0.0.1:0"}, "give the server's address by --url"},
		{[]string{"config", "check", "--config=/nonexistent.yaml"}, "config (--config): open /nonexistent.yaml"},
		{[]string{"config", "check", "--auth-mode=closed"}, "use one of open, required"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			got := hal9(t, nil, c.args...)
			got.want(t, exitUsage, "", c.want)
			if strings.Contains(got.errors, "sekret") {
				t.Errorf("a password is shown: %s", got.errors)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	// The numbers are a promise to scripts, so they are spelt out here.
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{usageError(cause, "hal9"), 2},
		{cause, 1},
		{&ExitError{Code: exitPending, Err: cause}, 4},
		{fmt.Errorf("serve: %w", &ExitError{Code: exitUnreachable, Err: cause}), 3},
		{fmt.Errorf("serve: %w", &config.Error{Key: "log.level"}), 2},
		{config.Errors{{Key: "log.level"}, {Key: "log.format"}}, 2},
	} {
		var stderr bytes.Buffer
		if got := report(&stderr, c.err); got != c.want || (c.err == nil) != (stderr.Len() == 0) {
			t.Errorf("%v: exit %d, %q; want %d", c.err, got, stderr.String(), c.want)
		}
	}
	if err := fmt.Errorf("serve: %w", &ExitError{Code: exitPending, Err: cause}); !errors.Is(err, cause) {
		t.Error("an ExitError hides its cause")
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	hal9(t, nil, "config", "check").want(t, exitOK, "The configuration is valid.", "")
	hal9(t, []string{"HAL9_CACHE_CALL_TIMEOUT=1s"}, "config", "check").
		want(t, exitOK, "The configuration is valid.", "hal9: warning: cache.url names no cache server; without effect: cache.call_timeout (HAL9_CACHE_CALL_TIMEOUT)\n")
	file := filepath.Join(t.TempDir(), "hal9.yaml")
	if err := os.WriteFile(file, []byte("log:\n  levl: info\n  format: xml\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := hal9(t, []string{"HAL9_CONFIG=" + file, "HAL9_DB_URL=x"}, "config", "check", "--server-max-page=none")
	got.want(t, exitUsage, "", "hal9: the configuration has 3 faults:\n")
	for _, want := range []string{file + ":2", "HAL9_DATABASE_URL?", "--server-max-page"} {
		if !strings.Contains(got.errors, want) {
			t.Errorf("%q is missing in\n%s", want, got.errors)
		}
	}
}

// What the configuration names is looked at as well, and each fault names its key.
func TestConfigCheckFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	garbage, missing := write("garbage.pem", "x"), filepath.Join(dir, "missing.pem")
	cert, key := selfSigned(t, time.Now().Add(time.Hour))
	good, goodKey := write("cert.pem", cert), write("key.pem", key)
	old, oldKey := selfSigned(t, time.Now().Add(-time.Hour))
	expired, expiredKey := write("old.pem", old), write("oldkey.pem", old+oldKey)
	tls := func(cert, key string) []string { return []string{"--server-tls-cert", cert, "--server-tls-key", key} }
	for _, c := range []struct {
		args []string
		want string
	}{
		{tls(missing, goodKey), "hal9: server.tls_cert (--server-tls-cert): open " + missing + ": no such file or directory; name a PEM file that this user may read\n"},
		{tls(good, missing), "hal9: server.tls_key (--server-tls-key): open " + missing},
		{tls(garbage, goodKey), garbage + " holds no certificate in PEM; name the file of the certificate"},
		{tls(good, garbage), "server.tls_key (--server-tls-key): " + garbage + " holds no private key in PEM; name the file of the key"},
		{tls(good, expiredKey), "make no pair"},
		{[]string{"--database-url", "sqlite://" + dir}, "hal9: database.url (--database-url): " + dir + " is a folder: name a file in it\n"},
		{[]string{"--database-url", "sqlite://" + missing + "/hal9.db"}, "does not exist: make it, or name another file"},
		{[]string{"--database-url", "postgres://u:s3cret@h/d?sslmode=verify-full&sslrootcert=" + missing}, "database.url (--database-url): it names the file " + missing + ", which cannot be read"},
		{[]string{"--database-url", "postgres://u@h/d", "--database-admin-url", "postgres://u:s3cret@h/d?sslmode=verify-full&sslrootcert=" + garbage}, "database.admin_url (--database-admin-url): its sslrootcert"},
		{[]string{"--database-url", "postgres://u@h/d", "--database-replica-urls", "postgres://h1/d,postgres://u:s3cret@h2/d?sslmode=verify-full&sslrootcert=" + garbage}, "database.replica_urls (--database-replica-urls): its sslrootcert"},
		{[]string{"--cache-url", "rediss://:s3cret@h?tls_ca=" + missing}, "cache.url (--cache-url): parameter tls_ca: open " + missing},
		{append(tls(missing, goodKey), "--cache-url", "rediss://h?tls_ca="+garbage), "hal9: the configuration has 2 faults:\n"},
	} {
		got := hal9(t, nil, append([]string{"config", "check"}, c.args...)...)
		got.want(t, exitUsage, "", c.want)
		if strings.Contains(got.errors, "s3cret") {
			t.Errorf("a password is told:\n%s", got.errors)
		}
	}
	hal9(t, nil, append([]string{"config", "check"}, tls(good, goodKey)...)...).want(t, exitOK, "The configuration is valid.", "")
	got := hal9(t, nil, append([]string{"config", "check", "--json"}, tls(expired, expiredKey)...)...)
	got.want(t, exitOK, `"server.tls_cert: the certificate has expired, on `, "hal9: warning: server.tls_cert: the certificate has expired")
}

// selfSigned is a certificate for localhost and its key, in PEM.
func selfSigned(t *testing.T, until time.Time) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: until.Add(-24 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	secretDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretDER}))
}

// TestEverySettingHasAFlag gives every flag at once and asks for the sources. The
// settings of single caches have none.
func TestEverySettingHasAFlag(t *testing.T) {
	t.Parallel()
	given := map[string]string{
		"database.type": "postgres", "database.url": "postgres://u:sekret@h/d",
		"database.admin_url": "postgres://u:sekret@h/d", "cache.url": "redis://:sekret@h",
	}
	keys := slices.DeleteFunc(config.Keys(), func(k config.Key) bool { return strings.HasPrefix(k.Name, "cache.entities.") })
	args := make([]string, 0, 3+len(keys))
	args = append(args, "config", "print", "--json")
	for _, k := range keys {
		value, ok := given[k.Name]
		if !ok {
			value = k.Default
		}
		args = append(args, "--"+k.Flag+"="+value)
	}
	got := hal9(t, nil, args...)
	got.want(t, exitOK, `"warnings": [`, "")
	var printed struct {
		Settings []config.Setting `json:"settings"`
	}
	if err := json.Unmarshal([]byte(got.out), &printed); err != nil {
		t.Fatal(err)
	}
	if len(printed.Settings) != len(config.Keys()) {
		t.Errorf("%d settings", len(printed.Settings))
	}
	for _, s := range printed.Settings {
		if s.Source != config.SourceFlag && !strings.HasPrefix(s.Key, "cache.entities.") {
			t.Errorf("%s comes from %s", s.Key, s.Source)
		}
	}
	if strings.Contains(got.out, "sekret") {
		t.Error("a password is shown")
	}
}

func TestConfigPrint(t *testing.T) {
	t.Parallel()
	got := hal9(t, []string{"HAL9_DATABASE_URL=postgres://u:sekret@h/d"}, "config", "print", "--log-level=debug")
	got.want(t, exitOK, "postgres://u:***@h/d", "")
	if !strings.Contains(got.out, "HAL9_DATABASE_URL\n") || !strings.Contains(got.out, "--log-level\n") {
		t.Errorf("sources are missing:\n%s", got.out)
	}
}

func TestConfigReference(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	got := hal9(t, nil, "config", "reference")
	got.want(t, exitOK, "# Configuration", "")
	if got.out != string(committed) {
		t.Error("docs/configuration.md is stale")
	}
}

// What people try who know other programs.
func TestHelpAsAWord(t *testing.T) {
	t.Parallel()
	for words, flag := range map[string]string{"help": "--help", "help serve": "serve --help", "help user create": "user create --help", "help user": "user --help"} {
		want := hal9(t, nil, strings.Fields(flag)...)
		want.want(t, exitOK, "Usage: hal9", "")
		hal9(t, nil, strings.Fields(words)...).want(t, exitOK, want.out, "")
	}
	hal9(t, nil, "help", "sreve").want(t, exitUsage, "", `did you mean "serve"?`)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	hal9(t, nil, "version").want(t, exitOK, "hal9 ", "")
	hal9(t, nil, "--version").want(t, exitOK, "hal9 ", "")
	var b Build
	if err := json.Unmarshal([]byte(hal9(t, nil, "version", "--json").out), &b); err != nil {
		t.Fatal(err)
	}
	if b.Version == "" || !strings.HasPrefix(b.Go, "go1.") || !strings.Contains(b.Platform, "/") {
		t.Errorf("%+v", b)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		log  config.Log
		want string
	}{
		{config.Log{Level: "info", Format: "json"}, `"msg":"hello\nforged"`},
		{config.Log{Level: "info", Format: "auto"}, `"msg":"hello\nforged"`}, // a buffer is no terminal
		{config.Log{Level: "debug", Format: "text"}, `msg="hello\nforged"`},
		{config.Log{Level: "warn", Format: "json"}, ""},
	} {
		var stderr bytes.Buffer
		g := &Globals{Stderr: &stderr}
		g.Logger(c.log).Info("hello\nforged")
		if c.want == "" && stderr.Len() > 0 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%+v wrote %q", c.log, stderr.String())
		}
	}
}
