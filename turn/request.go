package turn

// This file judges authenticated requests: who may ask what, and the answers that the library does not give.

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// The reasons for which the front drops a packet, besides those of parse.
var (
	errBudget         = errors.New("budget")
	errNoAllocation   = errors.New("no allocation")
	errNoPermission   = errors.New("no permission")
	errUnknownChannel = errors.New("unknown channel")
	errForbidden      = errors.New("forbidden peer")
	errOversize       = errors.New("oversize")
	errQueueFull      = errors.New("queue full")
	errOverQuota      = errors.New("quota")
	errUnreachable    = errors.New("unreachable")
)

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

const (
	protocolUDP = 17
	family4     = 1
	family6     = 2
)

// request authenticates and judges a request other than Binding.
func (f *front) request() []byte {
	r := &f.req
	switch {
	case !r.carries(hasIntegrity):
		return f.ask(codeUnauthorized)
	case !r.carries(hasUsername) || !r.carries(hasRealm) || !r.carries(hasNonce):
		if !f.mayAnswer() {
			return f.drop(errBudget)
		}
		return f.refuse(codeBadRequest)
	case !f.server.nonces.bound(r.nonce, r.from):
		return f.ask(codeStaleNonce)
	case string(r.realm) != f.server.cfg.Realm:
		return f.ask(codeUnauthorized)
	}
	key, who, ok := f.server.credentials.authenticate(&r.message)
	if !ok || !f.lease(who) {
		b := f.ask(codeUnauthorized)
		if b != nil {
			f.server.refusals.note(claimedID(r.username), codeUnauthorized, r.now)
		}
		return b
	}
	r.key, r.who = key, who
	if len(r.unknown) > 0 {
		return f.refuse(codeUnknownAttribute)
	}
	code := 0
	a := r.allocation
	switch {
	case r.method == methodAllocate:
		code = f.allocate()
	case a == nil || a.dying():
		code = codeMismatch
	case a.who.user != who.user:
		code = codeWrongCredentials
	case r.method == methodRefresh:
		code = f.refresh()
	case r.method == methodCreatePermission:
		code = f.createPermission()
	case r.method == methodChannelBind:
		code = f.channelBind()
	}
	if code != 0 {
		return f.refuse(code)
	}
	return r.raw
}

func (f *front) allocate() int {
	r, s := &f.req, f.server
	if a := r.allocation; a != nil {
		switch {
		case a.dying():
			return codeMismatch
		case a.who.user != r.who.user:
			return codeWrongCredentials
		}
		return 0 // a repetition gets the same answer again, anything else 437
	}
	switch {
	case !r.carries(hasTransport):
		return codeBadRequest
	case r.transport != protocolUDP:
		return codeTransport
	case r.carries(hasFamily) && r.carries(hasReservation):
		return codeBadRequest
	case r.carries(hasFamily) && r.family != family4 && r.family != family6:
		return codeFamily
	case !s.relayIP(r.family).IsValid():
		return codeFamily
	case r.carries(hasEvenPort) && r.carries(hasReservation):
		return codeBadRequest
	case r.carries(hasReservation) && !s.reservations.known(string(r.token)):
		return codeCapacity
	}
	if code, bound := s.accounts.admits(r.who, r.from.Addr()); code != 0 {
		s.stats.bounds[bound].Add(1)
		return code
	}
	f.clampLifetime()
	return 0
}

func (f *front) refresh() int {
	r := &f.req
	if r.carries(hasFamily) && (r.family == family6) != r.allocation.relay.Addr().Is6() {
		return codePeerFamily
	}
	if !r.carries(hasLifetime) || r.lifetime != 0 {
		f.clampLifetime()
	}
	return 0
}

// clampLifetime gives what RFC 8656 section 7.2 says: no less than the default, no more than the maximum. The library
// would take any small number, and its timers would then race with requests.
func (f *front) clampLifetime() {
	r := &f.req
	limits := &f.server.limits
	want := min(max(r.lifetime, limits.minLifetime), limits.maxLifetime)
	if r.lifetimeAt == 0 || want == r.lifetime {
		return
	}
	binary.BigEndian.PutUint32(r.raw[r.lifetimeAt:], want)
	resign(&r.message, r.key)
}

func (f *front) createPermission() int {
	r := &f.req
	if len(r.peers) == 0 {
		return codeBadRequest
	}
	for i, p := range r.peers {
		r.peers[i] = netip.AddrPortFrom(p.Addr(), 0) // permissions are for addresses
	}
	return f.permission()
}

func (f *front) channelBind() int {
	r, limits := &f.req, &f.server.limits
	if len(r.peers) != 1 || !r.carries(hasChannel) || !validChannel(r.channel) || r.peers[0].Port() == 0 {
		return codeBadRequest
	}
	if code := f.permission(); code != 0 {
		return code
	}
	switch ok, room := r.allocation.bindable(r.channel, r.peers[0], limits.channels, r.now); {
	case !ok:
		return codeBadRequest
	case !room:
		return codeCapacity
	}
	return 0
}

// permission judges the peers of a CreatePermission or ChannelBind: all or none.
func (f *front) permission() int {
	r, a := &f.req, f.req.allocation
	outside := false
	for _, p := range r.peers {
		v := a.verdict(p)
		switch {
		case !v.any():
			return codeForbidden
		case p.Addr().Is4In6() || p.Addr().Is4() != a.relay.Addr().Is4():
			return codePeerFamily
		}
		outside = outside || v.outside
	}
	if !a.room(r.peers, f.server.limits.permissions, r.now) {
		return codeCapacity
	}
	if outside {
		if err := a.openSocket(); err != nil {
			return codeCapacity
		}
	}
	return 0
}

// ask makes the library demand credentials, with a fresh nonce: it gets a made-up Allocate, since only that is always
// answered, and answered() puts the right method back. Strangers are answered from the budget.
func (f *front) ask(code int) []byte {
	if !f.mayAnswer() {
		return f.drop(errBudget)
	}
	r := &f.req
	f.server.stats.refuse(code)
	r.challenge, r.key = true, nil
	b := append(f.scratch[:0], make([]byte, headerSize)...)
	binary.BigEndian.PutUint16(b, messageType(methodAllocate, classRequest))
	binary.BigEndian.PutUint32(b[4:], magicCookie)
	copy(b[8:], r.id())
	if code == codeStaleNonce { // integrity with a nonce that is none
		b = appendAttribute(b, attrNonce, []byte("0"))
		b = appendAttribute(b, attrIntegrity, make([]byte, 20))
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	f.scratch = b
	return b
}

// refuse answers the current request itself; the library does not see it.
func (f *front) refuse(code int) []byte {
	r := &f.req
	f.server.stats.refuse(code)
	f.server.refusals.note(r.who.id, code, r.now)
	var attrs []attribute
	if code == codeUnknownAttribute {
		var list []byte
		for _, t := range r.unknown {
			list = binary.BigEndian.AppendUint16(list, t)
		}
		attrs = append(attrs, attribute{attrUnknownAttributes, list})
	}
	f.scratch = appendError(f.scratch[:0], r.method, r.id(), code, reasons[code], r.key, attrs...)
	f.link.write(f.scratch, route{r.from, r.local})
	return nil
}

// drop counts a packet that is not answered. There is no log line: anybody could fill the disk.
func (f *front) drop(reason error) []byte {
	f.server.stats.drop(reason)
	return nil
}
