package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deniedCalls names, in the environment, numbers of system calls of which any ends the process.
const deniedCalls = "HAL9_TEST_DENIED_CALLS"

// restrict starts this program again under a filter of system calls, if one is asked for.
func restrict() {
	list := os.Getenv(deniedCalls)
	if list == "" {
		return
	}
	_ = os.Unsetenv(deniedCalls)
	runtime.LockOSThread()                                                        // the filter is this thread's, and that of what it executes
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the number of the call
	for number := range strings.SplitSeq(list, ",") {
		k, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			panic(err)
		}
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(k), Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]} //nolint:gosec // a dozen
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0); err != nil { //nolint:gosec // as the call wants it
		panic(err)
	}
	panic(syscall.Exec(os.Args[0], os.Args, os.Environ())) //nolint:gosec // this program
}

// resources is systemd's group @resources, as `systemd-analyze syscall-filter @resources`
// lists it.
func resources() map[string]uintptr {
	return map[string]uintptr{
		"ioprio_set": unix.SYS_IOPRIO_SET, "mbind": unix.SYS_MBIND, "migrate_pages": unix.SYS_MIGRATE_PAGES,
		"move_pages": unix.SYS_MOVE_PAGES, "sched_setaffinity": unix.SYS_SCHED_SETAFFINITY, "sched_setattr": unix.SYS_SCHED_SETATTR,
		"sched_setparam": unix.SYS_SCHED_SETPARAM, "sched_setscheduler": unix.SYS_SCHED_SETSCHEDULER,
		"set_mempolicy": unix.SYS_SET_MEMPOLICY, "setpriority": unix.SYS_SETPRIORITY, "setrlimit": unix.SYS_SETRLIMIT,
	}
}

// The filter of the unit for systemd ends who makes a call that it denies: the process that
// hashes passwords must live under it.
func TestHashProcessUnderTheUnit(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile(filepath.Join("..", "..", "deploy", "systemd", "hal9.service"))
	if err != nil {
		t.Fatal(err)
	}
	denied := map[string]uintptr{}
	for line := range strings.Lines(string(unit)) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter=")
		if !ok {
			continue
		}
		if value, ok := strings.CutPrefix(value, "~"); ok {
			if slices.Contains(strings.Fields(value), "@resources") {
				denied = resources()
			}
			continue
		}
		for _, name := range strings.Fields(value) {
			delete(denied, name)
		}
	}
	if len(denied) == 0 {
		t.Fatal("the unit denies nothing: is the search broken?")
	}
	var numbers []string
	for _, number := range denied {
		numbers = append(numbers, strconv.Itoa(int(number)))
	}
	s, server := startProgram(t, "sqlite://"+filepath.Join(t.TempDir(), "hal9.db"), deniedCalls+"="+strings.Join(numbers, ","))
	if status, _ := s.password(t.Context(), t, "register"); status != 200 {
		t.Fatalf("register: %d", status)
	}
	if children := hashers(server.Pid); len(children) != 1 {
		t.Errorf("children: %v, and the log\n%s", children, s.stderr.String())
	}
}
