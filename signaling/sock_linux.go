package signaling

// This file reads and writes a descriptor that never blocks. The runtime is not
// told of these system calls: they return within microseconds, and telling it
// would wake its monitor, which then looks around for longer than they take.

import (
	"syscall"
	"unsafe"
)

const nonblocking = true

func readFD(fd uintptr, p []byte) (n int, again bool, err error) {
	return transfer(syscall.SYS_READ, fd, p)
}

func writeFD(fd uintptr, p []byte) (n int, again bool, err error) {
	return transfer(syscall.SYS_WRITE, fd, p)
}

func transfer(call, fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, errno
		}
	}
}
