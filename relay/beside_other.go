//go:build !linux

package relay

// No kernel but Linux's looks into datagrams to find whose they are.

import (
	"errors"
	"net"
)

// listenBeside cannot be.
func listenBeside(string, int) (*net.UDPConn, error) {
	return nil, errors.New("the relay shares TURN's port on Linux only: choose another port")
}
