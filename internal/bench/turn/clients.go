package turn

// This file sets the clients up: allocations, channels, and their end.

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"duet/internal/bench"
)

const (
	channel  = 0x4000 // every client binds one, so it is always the first
	inFlight = 64     // requests under way at a time
	rto      = 500 * time.Millisecond
	tries    = 7
)

// client is one TURN client, or a plain peer.
type client struct {
	socket *bench.Socket
	addr   netip.Addr  // its own, where many share a socket
	route  bench.Route // to the server, or from a peer to a relayed address
	auth   credential
	key    []byte
	realm  string
	nonce  string

	relayed netip.AddrPort
	peer    netip.AddrPort // where its channel leads, or its permission
	bound   bool           // has a channel; else it sends indications
	send    []byte         // all of an indication before the payload
}

// fleet is all clients of a run.
type fleet struct {
	server   netip.AddrPort
	sockets  []*bench.Socket
	clients  []*client // with allocations
	peers    []*client // without
	byAddr   map[netip.Addr]*client
	software string
}

// newFleet opens the sockets. On loopback all clients share one, and the peers another; elsewhere each has its own.
func newFleet(o Options, server netip.AddrPort) (*fleet, error) {
	f := &fleet{server: server, byAddr: map[netip.Addr]*client{}}
	allocations, peers := o.Calls, 0
	switch o.Mode {
	case "relay":
		allocations = 2 * o.Calls
	case "peer":
		peers = o.Calls
	}
	shared := server.Addr().Is4() && server.Addr().IsLoopback()
	local, err := localAddr(server)
	if err != nil {
		return nil, err
	}
	make1 := func(n int, third byte) ([]*client, error) {
		var all []*client
		var socket *bench.Socket
		for i := range n {
			if !shared {
				socket = nil
			}
			if socket == nil {
				at := netip.AddrPortFrom(local, 0)
				if shared {
					at = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
				}
				if socket, err = bench.ListenUDP(at); err != nil {
					return nil, err
				}
				f.sockets = append(f.sockets, socket)
			}
			c := &client{socket: socket, addr: local}
			from := netip.Addr{}
			if shared {
				c.addr = netip.AddrFrom4([4]byte{127, third + byte(i>>16), byte(i >> 8), byte(i)})
				from = c.addr
				f.byAddr[c.addr] = c
			}
			c.route = bench.NewRoute(from, server)
			c.bound = o.Carry == "channels" || o.Carry == "mixed" && i%2 == 0
			c.auth = credential{o.User, o.Pass}
			if o.Secret != "" {
				c.auth = restCredential(o.Secret, fmt.Sprintf("bench%d", i))
			}
			all = append(all, c)
		}
		return all, nil
	}
	if f.clients, err = make1(allocations, 10); err == nil {
		f.peers, err = make1(peers, 20)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// localAddr is the address from which this machine reaches the server.
func localAddr(server netip.AddrPort) (netip.Addr, error) {
	c, err := net.Dial("udp", server.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

func (f *fleet) close() {
	for _, s := range f.sockets {
		s.Close()
	}
}

// allocate gets an allocation for every client.
func (f *fleet) allocate(ctx context.Context) error {
	return f.transact(ctx, "allocate", func(c *client, id transaction) []byte {
		b := appendAttr(request(allocateRequest, id), attrTransport, []byte{17, 0, 0, 0})
		if c.key == nil {
			return finish(b)
		}
		return sign(b, c.auth.user, c.realm, c.nonce, c.key)
	}, func(c *client, r response) error {
		if !r.relayed.IsValid() {
			return errors.New("no relayed address in the answer")
		}
		c.relayed = r.relayed
		if c.relayed.Addr().IsUnspecified() {
			c.relayed = netip.AddrPortFrom(f.server.Addr(), c.relayed.Port())
		}
		f.software = r.software
		return nil
	})
}

// bind opens the channel of every client, or gets its permission.
func (f *fleet) bind(ctx context.Context) error {
	return f.transact(ctx, "channel bind or permission", func(c *client, id transaction) []byte {
		if !c.bound {
			c.send = appendAttr(appendAddr(request(sendIndication, id), attrPeer, c.peer, id), attrData, nil)
			b := appendAddr(request(createPermissionRequest, id), attrPeer, c.peer, id)
			return sign(b, c.auth.user, c.realm, c.nonce, c.key)
		}
		b := appendAttr(request(channelBindRequest, id), attrChannelNumber, []byte{channel >> 8, channel & 0xff, 0, 0})
		b = appendAddr(b, attrPeer, c.peer, id)
		return sign(b, c.auth.user, c.realm, c.nonce, c.key)
	}, nil)
}

// release ends all allocations. It answers for itself: a server that does not hear it forgets them in time.
func (f *fleet) release(ctx context.Context) error {
	return f.transact(ctx, "refresh", func(c *client, id transaction) []byte {
		b := appendAttr(request(refreshRequest, id), attrLifetime, []byte{0, 0, 0, 0})
		return sign(b, c.auth.user, c.realm, c.nonce, c.key)
	}, nil)
}

// room is how much of a message is before the payload.
func (c *client) room() int {
	if c.bound {
		return 4
	}
	return len(c.send)
}

// putHeader writes what is before a payload of n bytes, which must be a multiple of four.
func (c *client) putHeader(b []byte, n int) {
	if c.bound {
		b[0], b[1], b[2], b[3] = channel>>8, channel&0xff, byte(n>>8), byte(n)
		return
	}
	size := copy(b, c.send)
	binary.BigEndian.PutUint16(b[2:], uint16(size+n-headerSize))
	binary.BigEndian.PutUint16(b[size-2:], uint16(n))
}

// payload is what a server's message holds for a client, and whether it came on a channel; nil if it is another message.
func payload(b []byte) (data []byte, bound bool) {
	if len(b) >= 4 && b[0] == channel>>8 && b[1] == channel&0xff && int(binary.BigEndian.Uint16(b[2:])) <= len(b)-4 {
		return b[4:], true
	}
	if len(b) < headerSize || binary.BigEndian.Uint16(b) != dataIndication {
		return nil, false
	}
	for rest := b[headerSize:]; len(rest) >= 4; {
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if 4+n > len(rest) {
			break
		}
		if binary.BigEndian.Uint16(rest) == attrData {
			return rest[4 : 4+n], false
		}
		rest = rest[min(4+(n+3)&^3, len(rest)):]
	}
	return nil, false
}

// pending is a request under way.
type pending struct {
	c    *client
	sent time.Time
	try  int
	msg  []byte
	auth int // how often the server wanted a (newer) nonce
}

// transact sends one request for each client, some at a time, repeats what is not answered and answers challenges.
func (f *fleet) transact(ctx context.Context, what string, build func(*client, transaction) []byte, done func(*client, response) error) error {
	open := map[transaction]*pending{}
	waiting := f.clients
	var failed error
	send := func(id transaction, p *pending) {
		p.sent = time.Now()
		p.try++
		copy(p.c.socket.Queue(&p.c.route, len(p.msg)), p.msg)
		p.c.socket.Flush()
	}
	begin := func(c *client, auth int) {
		var id transaction
		crand.Read(id[:])
		p := &pending{c: c, msg: build(c, id), auth: auth}
		open[id] = p
		send(id, p)
	}
	receive := func(packet *bench.Packet) {
		r, err := parseResponse(packet.Data)
		p := open[r.id]
		if err != nil || p == nil {
			return
		}
		delete(open, r.id)
		switch {
		case r.typ&errorBits == successBit:
			if done != nil {
				failed = errors.Join(failed, done(p.c, r))
			}
		case (r.code == 401 || r.code == 438) && r.nonce != "" && p.auth < 2:
			p.c.realm, p.c.nonce = r.realm, r.nonce
			p.c.key = p.c.auth.key(r.realm)
			begin(p.c, p.auth+1)
		default:
			failed = fmt.Errorf("%s: refused with %d", what, r.code)
		}
	}
	for len(waiting)+len(open) > 0 && failed == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		for len(open) < inFlight && len(waiting) > 0 {
			begin(waiting[0], 0)
			waiting = waiting[1:]
		}
		bench.WaitReadable(20*time.Millisecond, f.sockets...)
		for _, s := range f.sockets {
			if _, err := s.Receive(receive); err != nil {
				return err
			}
		}
		for id, p := range open {
			if time.Since(p.sent) < rto {
				continue
			}
			if p.try == tries {
				return fmt.Errorf("%s: no answer from %s after %d tries", what, f.server, tries)
			}
			send(id, p)
		}
	}
	return failed
}

// stamp is what every payload begins with: flow, number, and when it was handed to the kernel.
const stampSize = 20

func putStamp(b []byte, flow, seq uint32, now int64) {
	binary.BigEndian.PutUint32(b, magic)
	binary.BigEndian.PutUint32(b[4:], flow)
	binary.BigEndian.PutUint32(b[8:], seq)
	binary.BigEndian.PutUint64(b[12:], uint64(now))
}

const magic = 0xd0e7be7c

func readStamp(b []byte) (flow, seq uint32, sent int64, ok bool) {
	if len(b) < stampSize || binary.BigEndian.Uint32(b) != magic {
		return 0, 0, 0, false
	}
	return binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), int64(binary.BigEndian.Uint64(b[12:])), true
}
