//go:build !unix

package signaling

// This file stands in where sockets cannot be read without waiting.

import "errors"

const nonblocking = false

func readFD(uintptr, []byte) (n int, again bool, err error)  { return 0, false, errors.ErrUnsupported }
func writeFD(uintptr, []byte) (n int, again bool, err error) { return 0, false, errors.ErrUnsupported }
