package transfer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockedElsewhere tells whether somebody holds one of SQLite's locks on the file:
// a connection in WAL mode holds one for as long as it is open, others while they
// read or write. Asked of an open file description rather than a process, so that
// connections of this process count too.
func lockedElsewhere(f *os.File) (bool, error) {
	const (
		pendingByte = 0x40000000 // then the reserved byte and 510 shared ones
		lockBytes   = 512
	)
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: int16(unix.SEEK_SET), Start: pendingByte, Len: lockBytes}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, fmt.Errorf("ask for locks: %w", err)
	}
	return lock.Type != unix.F_UNLCK, nil
}
