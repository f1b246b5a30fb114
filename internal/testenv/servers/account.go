package servers

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is whom the servers run as.
type account struct {
	name string
	// credential is nil where the servers run as the caller.
	credential *syscall.Credential
}

// findAccount returns the caller's own account, unless that is root, as whom
// PostgreSQL refuses to run.
func findAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := parseID(found.Uid)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := parseID(found.Gid)
		if err != nil {
			return account{}, fmt.Errorf("group of user %s: %w", name, err)
		}
		return account{name: name, credential: &syscall.Credential{Uid: uid, Gid: gid}}, nil
	}
	return account{}, errors.New("PostgreSQL refuses to run as root, and neither user postgres nor nobody exists: " +
		"run the tests as an ordinary user")
}

func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == 0 || id > math.MaxInt32 {
		return 0, fmt.Errorf("%q is no unprivileged id", text)
	}
	return uint32(id), nil
}

// makeDir makes a temporary directory that belongs to the account.
func (a account) makeDir(prefix string) (string, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", fmt.Errorf("make the server's directory: %w", err)
	}
	// Servers report their directory with its symbolic links resolved.
	resolved, err := filepath.EvalSymlinks(dir)
	if err == nil && a.credential != nil {
		err = a.own(resolved)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return resolved, nil
}

// own hands the directory to the account and checks that it can be entered.
func (a account) own(dir string) error {
	if err := os.Chown(dir, int(a.credential.Uid), int(a.credential.Gid)); err != nil {
		return fmt.Errorf("hand the server's directory to user %s: %w", a.name, err)
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return fmt.Errorf("check the temporary directory: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("the servers run as user %s, who may not enter %s: "+
				"set TMPDIR to a directory that every user may enter", a.name, parent)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}
