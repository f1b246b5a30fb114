//go:build unix

package sqlite

import (
	"fmt"
	"os"
	"syscall"
)

// likeFile gives a file the mode and the owner of another one, so that whoever could
// open that can open this.
func likeFile(other, file string) error {
	info, err := os.Stat(other)
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	own, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("look at the copy: %w", err)
	}
	if want, ok := info.Sys().(*syscall.Stat_t); ok {
		have, ok := own.Sys().(*syscall.Stat_t)
		if !ok || have.Uid != want.Uid || have.Gid != want.Gid {
			if err := os.Chown(file, int(want.Uid), int(want.Gid)); err != nil {
				return fmt.Errorf("give the copy the owner of the database; run this as that user or as root: %w", err)
			}
		}
	}
	if err := os.Chmod(file, info.Mode().Perm()); err != nil {
		return fmt.Errorf("give the copy the mode of the database: %w", err)
	}
	return nil
}
