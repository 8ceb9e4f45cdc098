// Package udpbuf sizes the kernel's buffers of UDP sockets, and counts what did not fit into them. It owns nothing: no
// goroutine, no lock.
package udpbuf
