package subprocess

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// tie starts a child with a low priority: there are no levels to choose from.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.BELOW_NORMAL_PRIORITY_CLASS}
}

// Lower does nothing: the child was started so.
func Lower(int) error { return nil }

// Call does nothing: the process has the name of its program.
func Call(string) {}
