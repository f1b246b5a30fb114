package subprocess

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// tie ends a child with its parent, even one that is stopped and never reads its input,
// and gives it a session of its own.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
}

// Lower gives this process a low priority. A thread has its own on Linux, and hands it
// on to those that it starts: until all have it, all are looked at again.
//
// Outside of control groups Linux shares the processor among sessions first, and the nice
// level counts within one only (sched(7), autogroup): so the session is lowered as well.
//
// With SCHED_IDLE a processor on which nothing else runs counts as free, so that threads
// of others that wake are put there and take it at once; it may be refused.
func Lower(nice int) error {
	_ = os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(nice)), 0o600) // not there in all kernels
	for {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list the threads: %w", err)
		}
		changed := false
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			raw, err := unix.Getpriority(unix.PRIO_PROCESS, id)
			if err != nil || 20-raw >= nice { // a thread that ended, or as the system call tells it
				continue
			}
			_ = unix.SchedSetAttr(id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE, Nice: int32(nice)}, 0) //nolint:gosec // a nice level
			if err := unix.Setpriority(unix.PRIO_PROCESS, id, nice); err != nil {
				return fmt.Errorf("lower the priority: %w", err)
			}
			changed = true
		}
		if !changed {
			return nil
		}
	}
}

// Call gives this process the name that ps and top show. Of a program that was started from
// /proc/self/exe that would be exe.
func Call(name string) {
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0o600) // it works under any name
}
