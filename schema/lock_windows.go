package schema

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// isReadOnly tells of a disk that takes no writes.
func isReadOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// tryLock returns errLocked if somebody else has the lock. Closing the file gives
// it back. The locked byte lies beyond the text of the file, which others may read.
func tryLock(file *os.File) error {
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{Offset: 1 << 20})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		return errLocked
	default:
		return fmt.Errorf("LockFileEx: %w", err)
	}
}
