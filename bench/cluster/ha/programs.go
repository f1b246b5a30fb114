// Package ha runs a whole installation on loopback, from the programs of Debian's
// packages as plain processes: PostgreSQL under Patroni with etcd, HAProxy, a Redis or
// Valkey with Sentinels or as a cluster, and several servers of hal9.
package ha

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// programs are the paths of what is run.
type programs struct {
	postgres string // the directory of PostgreSQL's
	patroni  string
	etcd     string
	haproxy  string
}

// findPrograms looks for all that is needed, and has what is missing installed: as root
// at once, on a terminal after asking; otherwise the error has the command.
func findPrograms(ctx context.Context, out io.Writer) (programs, error) {
	found, missing, err := lookUp(ctx)
	if err != nil || len(missing) == 0 {
		return found, err
	}
	if err := servers.NewInstaller(os.Stdin, out).Ensure(ctx, missing...); err != nil {
		return programs{}, err
	}
	found, missing, err = lookUp(ctx)
	if err == nil && len(missing) > 0 {
		err = missing[0]
	}
	return found, err
}

func lookUp(ctx context.Context) (programs, []*servers.MissingError, error) {
	var p programs
	var missing []*servers.MissingError
	note := func(err error) error {
		if m, ok := errors.AsType[*servers.MissingError](err); ok {
			missing = append(missing, m)
			return nil
		}
		return err
	}
	var err error
	if p.postgres, err = servers.FindPostgres(ctx); note(err) != nil {
		return p, nil, err
	}
	if _, err := servers.FindCache(); note(err) != nil {
		return p, nil, err
	}
	for _, one := range []struct {
		path     *string
		name     string
		packages []string
	}{
		{&p.patroni, "patroni", []string{"patroni"}},
		{&p.etcd, "etcd", []string{"etcd-server"}},
		{&p.haproxy, "haproxy", []string{"haproxy"}},
	} {
		if *one.path = find(one.name); *one.path != "" {
			continue
		}
		for _, name := range one.packages {
			missing = append(missing, &servers.MissingError{What: one.name, Looked: "on PATH and in /usr/sbin", Packages: []string{name}})
		}
	}
	// Patroni speaks etcd's newer protocol by itself; the package only recommends this.
	return p, missing, nil
}

func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	return ""
}
