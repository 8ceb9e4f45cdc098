package turn

// This file is the library's client, with which Check tries servers.

import (
	"context"
	"net"
	"regexp"
	"strconv"
	"strings"

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

// errorResponse is an error response of a server (RFC 8489, section 14.8).
type errorResponse struct {
	code int
	err  error
}

func (e errorResponse) Error() string { return e.err.Error() }
func (e errorResponse) Unwrap() error { return e.err }

// The library gives a response's code in its text only: "Allocate error response (error 401: Unauthorized)".
var responseCode = regexp.MustCompile(`\(error ([3-6][0-9][0-9])[:)]`)

// answered makes an error response what it is, and leaves other errors alone.
func answered(err error) error {
	m := responseCode.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	code, _ := strconv.Atoi(m[1]) // three digits
	return errorResponse{code, err}
}

// unanswered: the library has sent its request as often as it does.
func unanswered(err error) bool { return strings.Contains(err.Error(), "all retransmissions failed") }
