package turn

// This file is the gate: every message of a client passes here before the library sees it, every answer on its way out.

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"duet/internal/lock"
)

// gate lets the messages of one transport's clients pass to its authority.
type gate struct {
	server    *Server
	transport transport
	authority authority
	over      chan struct{}  // closed when the transport is over
	live      sync.WaitGroup // allocations

	// Touched by the authority's goroutine alone.
	req     request // the current one, until the next
	in      [headroom + maxFrame + 1 + tailroom]byte
	scratch []byte

	mu          lock.Mutex[lock.Leaf] // guards allocations
	allocations map[netip.AddrPort]*allocation
}

// request is a message of a client, and what the gate has found out about it.
type request struct {
	message
	from       netip.AddrPort
	local      netip.Addr // see route
	now        time.Time
	key        []byte
	who        identity
	allocation *allocation // of this client, may be nil
	errand     errand
}

// newGate starts an authority for the clients of t. It ends when t does.
func newGate(s *Server, t transport) (*gate, error) {
	g := &gate{server: s, transport: t, over: make(chan struct{}), allocations: map[netip.AddrPort]*allocation{}}
	var err error
	g.authority, err = newPion(g)
	return g, err
}

// wait returns when the transport and all its allocations are over.
func (g *gate) wait() {
	<-g.over
	g.live.Wait()
}

// next reads until there is something for the authority to do.
func (g *gate) next() (*request, error) {
	n, from, err := g.transport.read(g.in[headroom : headroom+maxFrame+1])
	if err != nil {
		close(g.over)
		return nil, err
	}
	if n == 0 || !g.admit(g.in[:headroom+n], from) {
		return nil, nil
	}
	return &g.req, nil
}

// admit judges one message, which is behind the headroom of buf, and says whether the authority is to do something about it.
func (g *gate) admit(buf []byte, from route) bool {
	r, b := &g.req, buf[headroom:]
	*r = request{message: message{peers: r.peers, unknown: r.unknown}, from: from.client, local: from.local, now: time.Now()}
	if len(b) < 4 {
		return g.drop(dropShort)
	}
	r.allocation = g.lookup(from.client)
	if isChannel(b[0]) || isSend(b) {
		switch how, reason := g.server.fromClient(r.allocation, buf, g.server.clockAt(r.now), direct{g.server}); how {
		case handled:
			return false
		case tooEarly:
			return g.drop(reason)
		}
	}
	if reason := r.parse(b); reason != passed {
		return g.drop(reason)
	}
	switch {
	case r.class == classIndication:
		return g.indication()
	case r.method == methodBinding:
		return g.binding()
	}
	return g.authenticate() && (r.errand != answerIt || g.judge())
}

// binding lets anybody ask for the own address.
func (g *gate) binding() bool {
	r := &g.req
	if r.allocation == nil && !g.mayAnswer() {
		return g.drop(dropBudget)
	}
	return len(r.unknown) == 0 || g.reject(codeUnknownAttribute)
}

// indication lets pass Send; Binding indications only keep a NAT open.
func (g *gate) indication() bool {
	r := &g.req
	switch {
	case r.method == methodBinding:
		return false
	case r.allocation == nil || r.allocation.isOver():
		return g.drop(dropNoAllocation)
	case len(r.peers) != 1 || !r.carries(hasData) || len(r.unknown) > 0:
		return g.drop(dropAttribute)
	case !r.allocation.permitted(canonical(r.peers[0].Addr()), g.server.clockAt(r.now)):
		return g.drop(dropNoPermission)
	}
	return true
}

// judge says whether the authority is to answer a request whose client has proved a password.
func (g *gate) judge() bool {
	r := &g.req
	if len(r.unknown) > 0 {
		return g.reject(codeUnknownAttribute)
	}
	code, a := 0, r.allocation
	switch {
	case r.method == methodAllocate:
		code = g.judgeAllocate()
	case a == nil || a.isOver():
		code = codeMismatch
	case a.who.user != r.who.user:
		code = codeWrongCredentials
	case r.method == methodRefresh:
		code = g.judgeRefresh()
	case r.method == methodCreatePermission:
		code = g.judgeCreatePermission()
	case r.method == methodChannelBind:
		code = g.judgeChannelBind()
	}
	return code == 0 || g.reject(code)
}

// granted notes what the authority has granted to the current request.
func (g *gate) granted(what grant) {
	r := &g.req
	a := g.lookup(r.from)
	if a == nil {
		return
	}
	switch r.method {
	case methodAllocate, methodRefresh:
		a.setLifetime(what.lifetime)
		if what.token != "" && a.pair {
			a.pair = false
			quota := g.server.quotas.enter(a.who, a.client.Addr(), nil, 1)
			if quota == nil {
				g.server.relays.release(nextPort(a.relay))
				return
			}
			g.server.reservations.put(what.token, reservation{nextPort(a.relay), quota, a.client.Addr()})
		}
	case methodCreatePermission:
		a.permit(r.peers, r.now)
	case methodChannelBind:
		a.bind(r.channel, r.peers[0], r.now)
	}
}

// reject answers the current request itself; the authority does not see it.
func (g *gate) reject(code int) bool {
	r := &g.req
	var attrs []attribute
	if code == codeUnknownAttribute {
		var list []byte
		for _, t := range r.unknown {
			list = binary.BigEndian.AppendUint16(list, t)
		}
		attrs = append(attrs, attribute{attrUnknownAttributes, list})
	}
	g.reply(g.rejection(code, attrs...))
	return false
}

// rejection makes an error answer to the current request; it is signed if the client has proved a password.
func (g *gate) rejection(code int, more ...attribute) []byte {
	r := &g.req
	g.server.stats.refuse(code)
	g.server.refusals.note(r.who.id, code, r.now)
	g.scratch = appendError(g.scratch[:0], r.method, r.id(), code, reasons[code], r.key, more...)
	return g.scratch
}

// reply sends an answer to the current request.
func (g *gate) reply(b []byte) { g.transport.write(b, route{g.req.from, g.req.local}) }

// drop counts a message that is not answered. There is no log line: anybody could fill the disk.
func (g *gate) drop(reason drop) bool {
	g.server.stats.drop(reason)
	return false
}

// mayAnswer spends one answer to a stranger. Streams have shown that their address is theirs.
func (g *gate) mayAnswer() bool {
	return !g.transport.datagrams() || g.server.budget.spend(g.req.from.Addr(), g.req.now)
}

func (g *gate) lookup(client netip.AddrPort) *allocation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.allocations[client]
}

// The error codes of RFC 8489 section 14.8 and RFC 8656 section 19.
const (
	codeBadRequest       = 400
	codeUnauthorized     = 401
	codeForbidden        = 403
	codeUnknownAttribute = 420
	codeMismatch         = 437
	codeStaleNonce       = 438
	codeFamily           = 440
	codeWrongCredentials = 441
	codeTransport        = 442
	codePeerFamily       = 443
	codeQuota            = 486
	codeCapacity         = 508
)

var reasons = map[int]string{
	codeBadRequest:       "Bad Request",
	codeForbidden:        "Forbidden",
	codeUnknownAttribute: "Unknown Attribute",
	codeMismatch:         "Allocation Mismatch",
	codeFamily:           "Address Family not Supported",
	codeWrongCredentials: "Wrong Credentials",
	codeTransport:        "Unsupported Transport Protocol",
	codePeerFamily:       "Peer Address Family Mismatch",
	codeQuota:            "Allocation Quota Reached",
	codeCapacity:         "Insufficient Capacity",
}
