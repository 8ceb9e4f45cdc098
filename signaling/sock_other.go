//go:build !linux

package signaling

// This file stands in on other systems, where reads and writes block.

import "errors"

const nonblocking = false

func readFD(uintptr, []byte) (n int, again bool, err error)  { return 0, false, errors.ErrUnsupported }
func writeFD(uintptr, []byte) (n int, again bool, err error) { return 0, false, errors.ErrUnsupported }
