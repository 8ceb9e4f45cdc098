package turn

// This file is what waits between a loop and its gate. It keeps the order in which a client has sent: what comes behind a
// request that may let it pass waits behind it. And it is fair: nobody's flood takes the others' places.

import (
	"hash/maphash"
	"net"
	"net/netip"
	"sync/atomic"
)

const (
	queueSize = 512
	// One client's requests and payloads take at most so many places, and the payloads of all at most half of them.
	maxRequests = 64
	maxPayloads = 32
	clientSlots = 1 << 10
)

// gateQueue has one loop that puts and one gate that takes.
type gateQueue struct {
	packets chan *packet
	over    chan struct{} // closed when the transport is
	seed    maphash.Seed

	payloads atomic.Int32 // that wait, of all clients
	slots    [clientSlots]clientSlot

	// what the gate is at; its own
	current *atomic.Int32 // the count that it is in; nil: nothing
	payload bool
}

// clientSlot is what waits of one client, or of several that share it by chance.
type clientSlot struct{ requests, payloads atomic.Int32 }

func newGateQueue() *gateQueue {
	return &gateQueue{packets: make(chan *packet, queueSize), over: make(chan struct{}), seed: maphash.MakeSeed()}
}

func (q *gateQueue) slot(client netip.AddrPort) *clientSlot {
	return &q.slots[maphash.Comparable(q.seed, client)%clientSlots]
}

// mustWait says whether a client's payload has to go behind payloads of its that wait.
func (q *gateQueue) mustWait(client netip.AddrPort) bool {
	return q.payloads.Load() > 0 && q.slot(client).payloads.Load() > 0
}

// mayHelp says whether a request is under way after which a client's payload may pass.
func (q *gateQueue) mayHelp(client netip.AddrPort) bool { return q.slot(client).requests.Load() > 0 }

// put hands a message to the gate, or gives the reason why it is lost.
func (q *gateQueue) put(b []byte, from route, payload bool) drop {
	if len(b) > maxFrame {
		return dropOversize
	}
	slot := q.slot(from.client)
	kind, most := &slot.requests, int32(maxRequests)
	if payload {
		if kind, most = &slot.payloads, maxPayloads; q.payloads.Load() >= queueSize/2 {
			return dropQueueFull
		}
	}
	if kind.Load() >= most {
		return dropQueueFull
	}
	p := packets.Get().(*packet)
	p.n, p.route, p.payload = copy(p.buf[:], b), from, payload
	q.count(kind, payload, 1) // before the gate can take it
	select {
	case q.packets <- p:
		return passed
	default:
		q.count(kind, payload, -1)
		packets.Put(p)
		return dropQueueFull
	}
}

func (q *gateQueue) count(kind *atomic.Int32, payload bool, n int32) {
	kind.Add(n)
	if payload {
		q.payloads.Add(n)
	}
}

// take waits for the next message; by asking the gate says that it has handled the one before.
func (q *gateQueue) take(b []byte) (int, route, error) {
	if q.current != nil {
		q.count(q.current, q.payload, -1)
		q.current = nil
	}
	select {
	case p := <-q.packets:
		if p == nil { // see wake
			return 0, route{}, nil
		}
		n, from := copy(b, p.buf[:p.n]), p.route
		slot := q.slot(from.client)
		if q.current, q.payload = &slot.requests, p.payload; p.payload {
			q.current = &slot.payloads
		}
		packets.Put(p)
		return n, from, nil
	case <-q.over:
		return 0, route{}, net.ErrClosed
	}
}

// wake makes take return. It need not wait when the queue is full: then the gate is not waiting either.
func (q *gateQueue) wake() {
	select {
	case q.packets <- nil:
	default:
	}
}
