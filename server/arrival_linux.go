package server

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sinceArrival is how long ago the last bytes of a connection came, as the kernel has it,
// to some milliseconds. Just after a request's headers were read that is how long the
// request waited for this server to look at it.
func sinceArrival(c net.Conn) time.Duration {
	watched := watchedConn(c)
	if watched == nil {
		return 0
	}
	socket, ok := watched.NetConn().(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	var age time.Duration
	_ = raw.Control(func(fd uintptr) { // a connection that is gone has no age
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			age = time.Duration(info.Last_data_recv) * time.Millisecond
		}
	})
	return watched.arrived(age)
}
