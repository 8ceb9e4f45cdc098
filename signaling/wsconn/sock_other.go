//go:build !linux || 386 || s390x

package wsconn

// This file stands in on other systems, and where recvmsg is no system call of its own: reads and writes block.

import (
	"errors"
	"syscall"
)

const nonblocking = false

func tellRest(syscall.RawConn)                             {}
func readFD(uintptr, []byte) (n int, rest bool, err error) { return 0, false, errors.ErrUnsupported }
func writeFD(uintptr, [][]byte) (n int, err error)         { return 0, errors.ErrUnsupported }
