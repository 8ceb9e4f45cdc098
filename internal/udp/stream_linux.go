//go:build !udp_standin

package udp

// This file is what else is asked of the kernel in ways that need unsafe code or differ from system to system: of streams.

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadStreamTime reads what is there from a socket with SO_TIMESTAMPNS: at is when the kernel took in the last byte, in
// nanoseconds since 1970, 0 if it does not say.
func ReadStreamTime(fd int, p []byte) (n int, at int64, err error) {
	var told controls
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	h := unix.Msghdr{Iov: &iov, Control: (*byte)(unsafe.Pointer(&told))}
	h.SetIovlen(1)
	h.SetControllen(controlsSize)
	got, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, 0, errno
	}
	return int(got), told.time(int(h.Controllen)), nil
}

// KeepUnsent bounds what the system takes from us and does not send yet. By itself it takes megabytes, and a client whose way
// becomes narrow gets all of them before anything that is new.
func KeepUnsent(c *net.TCPConn, bytes int) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes) })
	}
}
