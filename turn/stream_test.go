package turn

import (
	"net"
	"testing"
)

// leaving is a connection that takes its time to close, as TLS does when its client takes nothing.
type leaving struct {
	net.Conn
	begun, end chan struct{}
}

func (l leaving) Close() error {
	close(l.begun)
	<-l.end
	return l.Conn.Close()
}

// A stream that closes slowly must not hold up a loop that has a frame for it, and with it everybody's calls.
func TestSlowCloseHoldsUpNobody(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	conn := leaving{ours, make(chan struct{}), make(chan struct{})}
	l := newStream(conn, pipeClient, &limits{}, newStats())
	closed := make(chan error)
	go func() { closed <- l.close() }()
	<-conn.begun
	l.write(channelData(0x4000, "late"), route{}) // would wait for ever
	l.allocated(false)
	if err := l.close(); err != nil {
		t.Error(err)
	}
	close(conn.end)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
