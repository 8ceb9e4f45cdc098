//go:build !linux || 386 || s390x

package udp

// This file stands in on other systems, and where recvmsg is no system call of its own: reads and writes block.

import (
	"errors"
	"syscall"
)

// RawStreams says whether the functions for streams are to be had.
const RawStreams = false

// TellRest does nothing.
func TellRest(syscall.RawConn) {}

// ReadStream is not to be had.
func ReadStream(uintptr, []byte) (n int, rest bool, err error) {
	return 0, false, errors.ErrUnsupported
}

// WriteStream is not to be had.
func WriteStream(uintptr, [][]byte) (n int, err error) { return 0, errors.ErrUnsupported }
