//go:build unix

package main

// What the kernel gives this process.

import (
	"errors"
	"math"
	"net"
	"runtime"

	"golang.org/x/sys/unix"

	"duet/internal/udp"
)

// openFiles is how many this process may have; Go raises the soft limit to the hard one.
func openFiles() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Max > math.MaxInt64 { // no limit
		return math.MaxInt64, nil
	}
	return uint64(limit.Max), nil
}

// receiveBuffer is what a UDP socket gets that asks for so many bytes.
func receiveBuffer(wanted int) (got int, err error) {
	conn, err := udp.Bind("udp", net.JoinHostPort("127.0.0.1", "0"), udp.Options{Receive: wanted})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { got, inner = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	if runtime.GOOS == "linux" { // which counts its own overhead in
		got /= 2
	}
	return got, errors.Join(err, inner)
}
