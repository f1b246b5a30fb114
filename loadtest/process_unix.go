//go:build unix

package loadtest

import (
	"fmt"
	"syscall"
	"time"
)

// checkFiles tells before the run what would fail in its middle.
func checkFiles(users int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil //nolint:nilerr // then the run will tell
	}
	const others = 50
	if need := uint64(users) + others; limit.Cur < need { //nolint:gosec // users is not negative
		return fmt.Errorf("%w: %d users need %d, the limit is %d: raise it by 'ulimit -n %d'", ErrTooManyUsers, users, need, limit.Cur, need)
	}
	return nil
}

// processCPU is the processor time of this process.
func processCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
