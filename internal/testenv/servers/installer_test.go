package servers_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// fakeApt puts an apt-get and an apt-cache on PATH that only write down how they
// are called. It returns a function that reads the calls.
func fakeApt(t *testing.T, known ...string) func() []string {
	t.Helper()
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	program(t, dir, "apt-get", `echo "apt-get $*" >>"`+calls+`"
[ "$1" != update ]`) // update fails, as it does offline
	program(t, dir, "sudo", `echo "sudo" >>"`+calls+`"; exec "$@"`)
	program(t, dir, "apt-cache", `case " `+strings.Join(known, " ")+` " in *" $2 "*) exit 0 ;; esac; exit 100`)
	t.Setenv("PATH", dir)
	return func() []string {
		text, err := os.ReadFile(calls)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	}
}

func missingServers() []*servers.MissingError {
	return []*servers.MissingError{
		{What: "PostgreSQL", Looked: "here", Packages: []string{"postgresql"}},
		{What: "Valkey or Redis", Looked: "there", Packages: []string{"valkey-server", "redis-server"}},
	}
}

const aptInstall = "apt-get install -y --no-install-recommends postgresql "

func TestInstallerAsRootInstallsAtOnce(t *testing.T) {
	for _, cache := range []string{"valkey-server", "redis-server"} {
		t.Run(cache, func(t *testing.T) {
			calls := fakeApt(t, "postgresql", "redis-server", cache)
			installer := &servers.Installer{Root: true, In: strings.NewReader(""), Out: t.Output()}
			if err := installer.Ensure(t.Context(), missingServers()...); err != nil {
				t.Fatal(err)
			}
			want := []string{"apt-get update", aptInstall + cache}
			if got := calls(); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestInstallerOnTerminalAsks(t *testing.T) {
	for answer, want := range map[string][]string{
		"y\n":   {"sudo", "apt-get update", "sudo", aptInstall + "redis-server"},
		"YES\n": {"sudo", "apt-get update", "sudo", aptInstall + "redis-server"},
		"n\n":   nil,
		"\n":    nil,
		"":      nil,
	} {
		t.Run(answer, func(t *testing.T) {
			calls := fakeApt(t, "postgresql", "redis-server")
			var out strings.Builder
			installer := &servers.Installer{Terminal: true, In: strings.NewReader(answer), Out: &out}
			err := installer.Ensure(t.Context(), missingServers()...)
			if (err == nil) != (want != nil) {
				t.Errorf("Ensure: %v", err)
			}
			if got := calls(); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if shown := "sudo " + aptInstall + "redis-server"; !strings.Contains(out.String(), shown) {
				t.Errorf("the question does not show %q:\n%s", shown, out.String())
			}
		})
	}
}

func TestInstallerElsePrintsCommand(t *testing.T) {
	calls := fakeApt(t, "postgresql", "redis-server")
	installer := &servers.Installer{In: strings.NewReader("y\n"), Out: t.Output()}
	err := installer.Ensure(t.Context(), missingServers()...)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"PostgreSQL is not installed", "Valkey or Redis is not installed", "sudo " + aptInstall + "redis-server"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell %q", err, want)
		}
	}
	if got := calls(); len(got) != 0 {
		t.Errorf("it ran %q", got)
	}
}

func TestInstallerWithoutApt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	installer := &servers.Installer{Root: true, In: strings.NewReader(""), Out: t.Output()}
	err := installer.Ensure(t.Context(), missingServers()...)
	if err == nil || !strings.Contains(err.Error(), "package manager") {
		t.Errorf("got %v", err)
	}
}

func TestInstallerWithNothingMissing(t *testing.T) {
	calls := fakeApt(t)
	installer := &servers.Installer{Root: true, In: strings.NewReader(""), Out: t.Output()}
	if err := installer.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := calls(); len(got) != 0 {
		t.Errorf("it ran %q", got)
	}
}
