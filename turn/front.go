package turn

// This file is the front: every packet of a client passes here before the library sees it, every answer on its way out.

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"

	pion "github.com/pion/turn/v3"
)

// link is what a front reads from and writes to: a UDP socket or one stream.
type link interface {
	// read gives one datagram or frame, or nothing when it was woken. An error means that the link is over.
	read(b []byte) (int, route, error)
	wake()
	// write sends one; it must not keep b, nor wait for a slow client.
	write(b []byte, to route)
	close() error
	local() net.Addr
	datagrams() bool
	transport() string // "udp", "tcp" or "tls"
	// sockaddr is a client's address as the system wants it, where the link sends by itself.
	sockaddr(to route) sockaddr
	// allocated tells a stream that it carries an allocation, or no longer does.
	allocated(bool)
}

// route is a client's address, and the address of this machine that it talks to: answers come from there. The latter is
// not valid where it goes without saying.
type route struct {
	client netip.AddrPort
	local  netip.Addr
}

// front is the net.PacketConn of one library server.
type front struct {
	server *Server
	link   link
	over   chan struct{}  // closed when the link is over
	live   sync.WaitGroup // allocations

	// Touched by the library's read loop alone.
	req     request // being handled, until the next ReadFrom
	scratch []byte
	leaving *allocation // being dismissed
	nonce   []byte      // for that; empty: not known yet
	asked   bool        // for a nonce

	mu          sync.Mutex // a leaf; guards what follows
	allocations map[netip.AddrPort]*allocation
	dismissed   []*allocation // that the library does not know to be over
}

// request is a packet that the front has judged.
type request struct {
	message
	from       netip.AddrPort
	local      netip.Addr // see route
	fromAddr   net.Addr
	now        time.Time
	key        []byte
	who        identity
	allocation *allocation // of this client, may be nil
	probed     *allocation // made for EVEN-PORT, not yet asked for by its number
	challenge  bool        // the library sees a made-up message whose answer carries a nonce
	own        bool        // nobody has sent it, and nobody gets the answer
}

// newFront starts a library server on l. It ends when l does.
func newFront(s *Server, l link) (*front, error) {
	f := &front{server: s, link: l, over: make(chan struct{}), allocations: map[netip.AddrPort]*allocation{}}
	_, err := pion.NewServer(pion.ServerConfig{
		Realm:              s.cfg.Realm,
		LoggerFactory:      silence{},
		ChannelBindTimeout: s.limits.channelLifetime,
		AuthHandler:        f.keyFor,
		PacketConnConfigs: []pion.PacketConnConfig{{
			PacketConn:            f,
			RelayAddressGenerator: generator{f},
			PermissionHandler:     f.grant,
		}},
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// wait returns when the link and all its allocations are over.
func (f *front) wait() {
	<-f.over
	f.live.Wait()
}

// ReadFrom gives the library the next packet that it may see.
func (f *front) ReadFrom(b []byte) (int, net.Addr, error) {
	if a := f.req.probed; a != nil { // never the case with this library
		f.server.ended(a)
	}
	f.req.probed = nil
	for {
		if out := f.dismissal(); out != nil {
			return copy(b, out), f.req.fromAddr, nil
		}
		n, from, err := f.link.read(b)
		if err != nil {
			close(f.over) // the library does not read again, but closes all allocations
			return 0, nil, err
		}
		if n == 0 {
			continue
		}
		if out := f.admit(b[:n], from.client, from.local); out != nil {
			return copy(b, out), f.req.fromAddr, nil
		}
	}
}

// admit judges one packet and returns what the library is to see of it; nil if nothing.
func (f *front) admit(b []byte, from netip.AddrPort, local netip.Addr) []byte {
	r := &f.req
	*r = request{message: message{peers: r.peers, unknown: r.unknown}, from: from, local: local, now: time.Now()}
	if len(b) < 4 {
		return f.drop(errShort)
	}
	if a := f.lookup(from); a != nil {
		r.allocation, r.fromAddr = a, a.clientAddr
	}
	if isChannel(b[0]) {
		return f.channelData(b)
	}
	if err := r.parse(b); err != nil {
		return f.drop(err)
	}
	if r.fromAddr == nil {
		r.fromAddr = net.UDPAddrFromAddrPort(from)
	}
	if r.class == classIndication {
		return f.indication()
	}
	if r.method == methodBinding {
		if r.allocation == nil && !f.mayAnswer() {
			return f.drop(errBudget)
		}
		if len(r.unknown) > 0 {
			return f.refuse(codeUnknownAttribute)
		}
		return r.raw
	}
	return f.request()
}

// channelData forwards what comes on a channel that the library has bound; the library never sees it.
func (f *front) channelData(b []byte) []byte {
	number, n := channelHeader(b)
	a := f.req.allocation
	switch {
	case !validChannel(number) || 4+n > len(b) || len(b) > 4+n+3:
		return f.drop(errLength)
	case a == nil:
		return f.drop(errUnknownChannel)
	}
	f.server.forward(a, b, f.server.clockAt(f.req.now), direct{f.server})
	return nil
}

// indication lets pass Send; Binding indications only keep a NAT open.
func (f *front) indication() []byte {
	r := &f.req
	switch {
	case r.method == methodBinding:
		return nil
	case r.allocation == nil || r.allocation.dying():
		return f.drop(errNoAllocation)
	case len(r.peers) != 1 || !r.carries(hasData) || len(r.unknown) > 0:
		return f.drop(errAttribute)
	case !r.allocation.permitted(canonical(r.peers[0].Addr())):
		return f.drop(errNoPermission)
	}
	return r.raw
}

// mayAnswer spends one answer to a stranger. Streams have shown that their address is theirs.
func (f *front) mayAnswer() bool {
	return !f.link.datagrams() || f.server.budget.spend(f.req.from.Addr(), f.req.now)
}

// WriteTo takes the library's answer to the current request; it sends nothing else.
func (f *front) WriteTo(b []byte, _ net.Addr) (int, error) {
	r := &f.req
	if r.own {
		f.nonce = append(f.nonce[:0], attributeOf(b, attrNonce)...)
	} else {
		f.link.write(f.answered(b), route{r.from, r.local})
	}
	return len(b), nil
}

// answered learns from the library's answer to the current request and mends what it says wrongly.
func (f *front) answered(b []byte) []byte {
	r := &f.req
	method, class := splitType(binary.BigEndian.Uint16(b))
	if class == classError {
		if r.challenge {
			binary.BigEndian.PutUint16(b, messageType(r.method, classError))
		}
		if nonce := attributeOf(b, attrNonce); nonce != nil {
			f.server.nonces.bind(nonce, r.from)
			return b
		}
		code := attributeOf(b, attrErrorCode)
		if len(code) < 4 { // CreatePermission's refusals come without
			return f.wrong(codeBadRequest)
		}
		return f.wrong(int(code[2])*100 + int(code[3]))
	}
	if a := f.lookup(r.from); a != nil {
		switch method {
		case methodAllocate, methodRefresh:
			if v := attributeOf(b, attrLifetime); len(v) == 4 {
				a.lives(time.Duration(binary.BigEndian.Uint32(v)) * time.Second)
			}
			if token := attributeOf(b, attrReservationToken); token != nil && a.pair {
				a.pair = false
				f.server.reservations.put(string(token), nextPort(a.relay))
			}
		case methodCreatePermission:
			a.permit(r.peers, r.now)
		case methodChannelBind:
			a.bind(r.channel, r.peers[0], r.now)
		}
	}
	return b
}

// wrong makes the library's refusal of an authenticated request a proper one: with a code and signed.
func (f *front) wrong(code int) []byte {
	r := &f.req
	f.server.stats.refuse(code)
	f.server.refusals.note(r.who.id, code, r.now)
	f.scratch = appendError(f.scratch[:0], r.method, r.id(), code, reasons[code], r.key)
	return f.scratch
}

func (f *front) lookup(client netip.AddrPort) *allocation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.allocations[client]
}

// forget is an allocation's end.
func (f *front) forget(a *allocation) {
	f.mu.Lock()
	if f.allocations[a.client] == a {
		delete(f.allocations, a.client)
	}
	left := len(f.allocations)
	f.mu.Unlock()
	if left == 0 {
		f.link.allocated(false)
	}
	f.server.ended(a)
	f.live.Done()
}

// keyFor is the library's AuthHandler: the front has already found the key.
func (f *front) keyFor(string, string, net.Addr) ([]byte, bool) { return f.req.key, f.req.key != nil }

// grant is the library's PermissionHandler: the front has already asked the policy, with the port where there is one.
func (f *front) grant(_ net.Addr, peer net.IP) bool {
	addr, ok := netip.AddrFromSlice(peer)
	return ok && f.req.allocation != nil && f.req.allocation.verdict(netip.AddrPortFrom(addr, 0)).any()
}

// Close is called by the library's Close.
func (f *front) Close() error { return f.link.close() }

// LocalAddr is part of the library's key for an allocation.
func (f *front) LocalAddr() net.Addr { return f.link.local() }

// SetDeadline and its sisters are never called by the library.
func (f *front) SetDeadline(time.Time) error      { return nil }
func (f *front) SetReadDeadline(time.Time) error  { return nil }
func (f *front) SetWriteDeadline(time.Time) error { return nil }

// generator is the library's way to ask for a relay socket; it does so on the read loop's goroutine.
type generator struct{ front *front }

// Validate has nothing to check.
func (g generator) Validate() error { return nil }

// AllocatePacketConn makes the allocation for the current request.
func (g generator) AllocatePacketConn(string, int) (net.PacketConn, net.Addr, error) {
	f, r := g.front, &g.front.req
	a := r.probed
	if a == nil {
		a = newAllocation(f, r)
		if err := f.server.began(a, r); err != nil {
			return nil, nil, err
		}
		if r.carries(hasEvenPort) {
			r.probed = a
			return probe{a}, a.relayAddr, nil
		}
	}
	r.probed = nil
	f.mu.Lock()
	f.allocations[r.from] = a
	f.mu.Unlock()
	f.live.Add(1)
	f.link.allocated(true)
	return a, a.relayAddr, nil
}

// AllocateConn is never called by the library.
func (g generator) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, net.ErrClosed
}
