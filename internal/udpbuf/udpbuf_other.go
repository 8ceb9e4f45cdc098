//go:build !linux

package udpbuf

// This file is all other systems.

import "net"

// Set asks for buffers of so many bytes, 0 for what the system gives unasked, and takes what it gets.
func Set(conn *net.UDPConn, receive, send int) {
	if receive > 0 {
		conn.SetReadBuffer(receive)
	}
	if send > 0 {
		conn.SetWriteBuffer(send)
	}
}
