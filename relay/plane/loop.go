package plane

// The loop: receive a batch, open, rename and seal each packet where it lies, send the batch.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"duet/internal/udp"
)

// batch is how many packets one system call may carry.
const batch = 32

// Run is the loop. It returns when the plane is closed.
func (p *Plane) Run() error {
	if p.broken != nil {
		return fmt.Errorf("relay plane: %w", p.broken)
	}
	defer p.sock.Leave()
	w := newWorker(p, p.sock)
	var yields udp.Yielder
	for failures := 0; ; {
		n, err := p.sock.Wait(w.in)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			// An ICMP error of some earlier packet is no fault of the socket; the same again and again is.
			if failures++; failures == 100 {
				return fmt.Errorf("relay plane: receive: %w", err)
			}
			time.Sleep(time.Duration(failures) * time.Millisecond) // five seconds in all: memory may be short for a moment
			continue
		}
		failures = 0
		now := p.clock()
		p.packetsIn.Add(uint64(n))
		bytes := 0
		for i := range n {
			b := w.in.Packet(i)
			bytes += len(b)
			w.take(b, w.in.From(i), w.in.To(i), now)
		}
		p.bytesIn.Add(uint64(bytes))
		w.flush()
		yields.Yield(now)
	}
}

// worker is what the loop keeps between packets.
type worker struct {
	p     *Plane
	in    *udp.Inbox
	out   *udp.Outbox
	rtcp  [batch][maxPacket]byte // sealed reports of this batch
	used  int
	plain [maxPacket]byte
}

func newWorker(p *Plane, sock *udp.Socket) *worker {
	return &worker{
		p:  p,
		in: udp.NewInbox(batch, maxPacket, 0, largest+1), // one more, to see what is too large
		// A batch in may make more out: its packets and, for each, a report or a request.
		out: udp.NewOutbox(sock, 3*batch, true, func(_ error, packets int) { p.dropped[DropSocket].Add(uint64(packets)) }),
	}
}

func (w *worker) flush() {
	sent, bytes := w.out.Flush()
	w.p.packetsOut.Add(uint64(sent))
	w.p.bytesOut.Add(uint64(bytes))
	w.used = 0
}

// take handles one datagram (RFC 7983 says which is which), which came to our address local.
func (w *worker) take(b []byte, from netip.AddrPort, local netip.Addr, now time.Duration) {
	p := w.p
	switch {
	case len(b) == 0:
	case len(b) > largest:
		p.drop(DropOversize)
	case b[0]>>6 == 2:
		w.media(b, from, now)
	case b[0] < 4:
		if ufrag, ok := bindingUser(b); ok {
			if !p.asked(ufrag, stunTransaction(b), from, local, nominates(b), now) {
				p.drop(DropStranger)
				return
			}
		} else if p.owner(from) == nil {
			p.drop(DropStranger)
			return
		}
		p.handUp(b, from)
	case b[0] >= 20 && b[0] < 64 && p.owner(from) != nil:
		p.handUp(b, from)
	default:
		p.drop(DropStranger)
	}
}

// handUp gives a copy to pion.
func (p *Plane) handUp(b []byte, from netip.AddrPort) {
	buf := buffers.Get().(*buffer)
	buf.n, buf.from = copy(buf.b[:], b), from
	select {
	case p.up <- buf:
	default:
		buffers.Put(buf)
		p.drop(DropQueue)
	}
}

// media handles a packet that looks like SRTP or SRTCP.
func (w *worker) media(b []byte, from netip.AddrPort, now time.Duration) {
	p := w.p
	c := p.confirmed(from)
	if c == nil {
		p.drop(DropUnconfirmed)
		return
	}
	t := c.port
	switch t.state.Load() {
	case pionPath:
		p.handUp(b, from)
	case onPlane:
		if len(b) >= 2 && b[1] >= 192 && b[1] < 224 { // RFC 5761, section 4
			w.report(c, b, now)
		} else {
			w.packet(c, b, now)
		}
	default:
		p.drop(DropUndecided)
	}
}

// known reads a packet's SSRC and refuses one too many. Only what is authentic afterwards counts, so that nobody else
// can use the places up.
func (w *worker) known(t *Port, of int, b []byte, at int) (ssrc uint32, ok bool) {
	if len(b) < at+4 {
		w.p.drop(DropForged)
		return 0, false
	}
	ssrc = binary.BigEndian.Uint32(b[at:])
	if _, ok = t.sources[of][ssrc]; !ok && len(t.sources[of]) >= maxSources {
		w.p.drop(DropSources)
		return ssrc, false
	}
	return ssrc, true
}

// packet forwards RTP.
func (w *worker) packet(c *confirmed, b []byte, now time.Duration) {
	t := c.port
	ssrc, ok := w.known(t, 0, b, 8)
	if !ok || t.call.exceeds(t.side, overMedia, now) {
		return
	}
	plain, err := t.open.DecryptRTP(b[:0], b, &t.opening)
	if err != nil {
		w.p.drop(DropForged)
		return
	}
	t.sources[0][ssrc] = struct{}{}
	c.authentic(now)
	w.firstPacket(t)
	other := t.call.ports[t.call.across(t.side)].Load()
	if other == nil {
		return
	}
	state := other.state.Load()
	if state == undecided {
		return // it will ask for a key frame when it is there
	}
	result, ask := t.call.RTP(t.side, plain, now)
	if result == Forward {
		if state == pionPath {
			other.enqueue(false, plain)
		} else if sealed, to, ok := other.sealTo(plain[:0], false, plain); ok {
			w.out.Add(to, sealed)
		}
	}
	if ask {
		w.ask(t, now)
	}
}

// report forwards RTCP.
func (w *worker) report(c *confirmed, b []byte, now time.Duration) {
	t := c.port
	ssrc, ok := w.known(t, 1, b, 4)
	if !ok || t.call.exceeds(t.side, overReports, now) {
		return
	}
	plain, err := t.open.DecryptRTCP(b[:0], b, nil)
	if err != nil {
		w.p.drop(DropForged)
		return
	}
	t.sources[1][ssrc] = struct{}{}
	c.authentic(now)
	other := t.call.ports[t.call.across(t.side)].Load()
	if other == nil || other.state.Load() == undecided {
		return
	}
	out := t.call.RTCP(t.side, plain, w.plain[:0], now)
	w.sendReport(other, out)
}

// ask sends a leg the requests for key frames that are due.
func (w *worker) ask(t *Port, now time.Duration) {
	ssrcs, _ := t.call.Wanted(t.side, now)
	out := w.plain[:0]
	for _, ssrc := range ssrcs {
		if ssrc != 0 {
			out = t.call.AppendPLI(t.side, ssrc, out)
		}
	}
	w.sendReport(t, out)
}

func (w *worker) sendReport(to *Port, plain []byte) {
	switch {
	case len(plain) == 0:
	case len(plain) > largest:
		w.p.drop(DropOversize)
	case to.state.Load() == pionPath:
		to.enqueue(true, plain)
	case w.used == len(w.rtcp):
		w.p.drop(DropQueue)
	default:
		if sealed, addr, ok := to.sealTo(w.rtcp[w.used][:0], true, plain); ok {
			w.used++
			w.out.Add(addr, sealed)
		}
	}
}

// firstPacket tells once that a leg has sent something authentic.
func (w *worker) firstPacket(t *Port) {
	if !t.told {
		t.told = true
		t.onFirstPacket()
	}
}
