package turn

// This file is the library's client, with which Check tries servers.

import (
	"context"
	"net"

	pion "github.com/pion/turn/v3"
)

// allocator is a client of a TURN server.
type allocator interface {
	SendBindingRequest() (net.Addr, error)
	Allocate() (net.PacketConn, error)
}

// newSTUNConn frames messages on a stream.
func newSTUNConn(c net.Conn) net.PacketConn { return pion.NewSTUNConn(c) }

func (t target) client(ctx context.Context, o CheckOptions) (allocator, func(), error) {
	conn, to, err := t.dial(ctx, o.Insecure)
	if err != nil {
		return nil, nil, err
	}
	c, err := pion.NewClient(&pion.ClientConfig{
		STUNServerAddr: to.String(), TURNServerAddr: to.String(), Conn: conn,
		Username: o.Username, Password: o.Password, LoggerFactory: discardLogger{},
	})
	if err == nil {
		err = c.Listen()
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close(); conn.Close() }) // the client has no context
	return c, func() { stop(); c.Close(); conn.Close() }, nil
}
