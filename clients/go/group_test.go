//go:build unix

package hal9_test

import (
	"os/exec"
	"syscall"
)

// ownGroup lets a program be ended with all that it started.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
