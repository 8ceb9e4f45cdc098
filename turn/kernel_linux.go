package turn

// This file asks Linux how many datagrams it had to drop.

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropsOf reads SO_MEMINFO (Linux 4.12), of which the ninth number counts what did not fit into the receive buffer.
func dropsOf(conn *net.UDPConn) uint64 {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	var info [9]uint32
	raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
			info = [9]uint32{}
		}
	})
	return uint64(info[8])
}
