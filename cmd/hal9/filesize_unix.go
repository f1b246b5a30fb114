//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// outliveFileLimit lets a write beyond the limit on the size of files (ulimit -f) fail as
// one on a full disk does, instead of ending the process, as PostgreSQL does as well.
func outliveFileLimit() { signal.Ignore(syscall.SIGXFSZ) }
