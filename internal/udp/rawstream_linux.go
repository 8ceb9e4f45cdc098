//go:build !386 && !s390x

package udp

// This file reads and writes the descriptor of a stream that never blocks. The runtime is not told of these system calls: they return
// within microseconds, and telling it would wake its monitor, which then looks around for longer than they take.

import (
	"syscall"
	"unsafe"
)

// RawStreams says whether the functions for streams are to be had.
const RawStreams = true

// From linux/tcp.h: with the option a read is told how much is left, and counts the end of the stream as one byte.
const tcpINQ = 36

// TellRest asks for it. Where it is not known (before Linux 4.18) every read is followed by one that finds nothing.
func TellRest(raw syscall.RawConn) {
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpINQ, 1) })
}

// restTold is a cmsghdr with an int.
type restTold struct {
	syscall.Cmsghdr
	left int32
	_    int32
}

// ReadStream reads; rest is false when nothing more is there. err may be EAGAIN.
func ReadStream(fd uintptr, p []byte) (n int, rest bool, err error) {
	var c restTold
	part := syscall.Iovec{Base: unsafe.SliceData(p)}
	part.SetLen(len(p))
	m := syscall.Msghdr{Iov: &part, Iovlen: 1, Control: (*byte)(unsafe.Pointer(&c))}
	for {
		m.SetControllen(int(unsafe.Sizeof(c)))
		got, _, errno := syscall.RawSyscall(syscall.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&m)), 0)
		switch errno {
		case 0:
			told := uintptr(m.Controllen) >= unsafe.Offsetof(c.left)+4 && c.Level == syscall.IPPROTO_TCP && c.Type == tcpINQ
			return int(got), !told || c.left > 0, nil
		case syscall.EINTR:
		default:
			return 0, false, errno
		}
	}
}

// WriteStream writes some of parts. err may be EAGAIN.
func WriteStream(fd uintptr, parts [][]byte) (n int, err error) {
	var vec [16]syscall.Iovec
	count := min(len(parts), len(vec))
	for i, p := range parts[:count] {
		vec[i].Base = unsafe.SliceData(p)
		vec[i].SetLen(len(p))
	}
	for {
		var done uintptr
		var errno syscall.Errno
		if count == 1 {
			done, _, errno = syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(vec[0].Base)), uintptr(vec[0].Len))
		} else {
			done, _, errno = syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vec)), uintptr(count))
		}
		switch errno {
		case 0:
			return int(done), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
