//go:build unix

package schema

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// isReadOnly tells of a file system that takes no writes.
func isReadOnly(err error) bool { return errors.Is(err, unix.EROFS) }

// tryLock returns errLocked if somebody else has the lock. Closing the file gives
// it back.
func tryLock(file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return fmt.Errorf("flock: %w", err)
		}
	}
}
