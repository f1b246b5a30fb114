//go:build unix && !linux

package subprocess

import (
	"fmt"
	"os/exec"

	"golang.org/x/sys/unix"
)

// tie does nothing: a child ends with its input.
func tie(*exec.Cmd) {}

// Lower gives this process a low priority.
func Lower(nice int) error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	return nil
}

// Call does nothing: the process has the name of its program.
func Call(string) {}
