package udpbuf

// This file is Linux, which also counts.

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Set asks for buffers of so many bytes, 0 for what the system gives unasked. Beyond net.core.rmem_max and wmem_max it takes
// CAP_NET_ADMIN; without it those are what there is, usually 208 KiB, into which 184 packets of 1,200 bytes fit.
func Set(conn *net.UDPConn, receive, send int) {
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { SetFD(int(fd), receive, send) })
	}
}

// SetFD is Set for a descriptor outside Go's poller.
func SetFD(fd, receive, send int) {
	for _, o := range []struct{ force, plain, size int }{
		{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receive}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, send},
	} {
		if o.size > 0 && unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.force, o.size) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.plain, o.size)
		}
	}
}

// Lost is how many datagrams did not fit into a socket's receive buffer (SO_MEMINFO, since Linux 4.12).
func Lost(fd int) uint64 {
	var info [9]uint32 // the last one
	size := uint32(unsafe.Sizeof(info))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return 0
	}
	return uint64(info[8])
}
