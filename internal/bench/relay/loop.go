package relay

// This file is the loop that moves the clients' packets.

import (
	"context"
	"time"

	"github.com/pion/rtcp"

	"duet/internal/bench"
)

// loop moves packets until the time, or until done says so.
func (e *engine) loop(ctx context.Context, until time.Time, done func() bool) error {
	var lastDrain time.Time
	for {
		now := time.Now()
		if err := ctx.Err(); err != nil {
			return err
		}
		if done != nil && done() || !until.IsZero() && !now.Before(until) {
			return nil
		}
		e.mu.Lock()
		e.pacer.Due(now, func(n int) { e.send(n, now) })
		e.beside(now)
		e.flush()
		var err error
		if now.Sub(lastDrain) >= time.Millisecond {
			lastDrain = now
			err = e.drain(now)
			e.flush()
		}
		e.mu.Unlock()
		if err != nil {
			return err
		}
		if tick := now.Truncate(e.o.Tick).Add(e.o.Tick); time.Until(tick) > 0 {
			bench.SleepUntil(tick)
		}
	}
}

// send sends the next packet of a flow, if its call is so far.
func (e *engine) send(n int, now time.Time) {
	f := e.flows[n]
	if f == nil || !e.loading && e.ready[f.from.index/2].Load() {
		return
	}
	plain := f.next(uint32(n), now)
	b, err := f.from.tx.EncryptRTP(e.sealed, plain, &f.out)
	if err != nil {
		return // cannot be before 2^48 packets; it would show as not sent
	}
	copy(f.from.socket.Queue(&f.from.route, len(b)), b)
	if e.from > 0 && e.loading {
		e.r.sent++
	}
}

// beside sends what goes with media: checks, reports and feedback.
func (e *engine) beside(now time.Time) {
	for i, p := range e.peers {
		if p.known && p.remote.ufrag != "" {
			every := checkEvery
			if p.alive {
				every = consentEvery
			}
			if now.Sub(p.checked) >= every {
				p.checked = now
				b := p.check()
				copy(p.socket.Queue(&p.route, len(b)), b)
			}
		}
		if p.flows[1] == nil || e.o.NoRTCP || !e.loading {
			continue
		}
		if !now.Before(e.reportAt[i]) {
			e.reportAt[i] = e.reportAt[i].Add(max(reportEvery, now.Sub(e.reportAt[i])))
			e.control(p, p.reports(now))
		}
		if p.twccID != 0 && !now.Before(e.fbAt[i]) {
			e.fbAt[i] = e.fbAt[i].Add(max(feedbackEvery, now.Sub(e.fbAt[i])))
			for _, fb := range p.twcc.BuildFeedbackPacket() {
				e.control(p, []rtcp.Packet{fb})
			}
		}
	}
}

func (e *engine) control(p *peer, packets []rtcp.Packet) {
	plain, err := rtcp.Marshal(packets)
	if err != nil {
		return
	}
	b, err := p.tx.EncryptRTCP(nil, plain, nil)
	if err != nil {
		return
	}
	copy(p.socket.Queue(&p.route, len(b)), b)
	if e.from > 0 {
		e.r.rtcpSent++
	}
}

// drain takes all that has come.
func (e *engine) drain(now time.Time) error {
	for i, s := range e.sockets {
		_, err := s.Receive(func(in *bench.Packet) {
			if len(e.byAddr) > 0 {
				e.receive(e.byAddr[in.To], in, now)
			} else {
				e.receive(e.peers[i], in, now)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// receive takes one datagram for a peer.
func (e *engine) receive(p *peer, in *bench.Packet, now time.Time) {
	if p == nil || len(in.Data) < 8 {
		return
	}
	switch first := in.Data[0]; {
	case first < 4:
		if answer := p.answerCheck(in.Data, in.From); answer != nil {
			back := bench.NewRoute(p.from, in.From)
			copy(p.socket.Queue(&back, len(answer)), answer)
		} else if p.answered(in.Data) && !p.alive {
			p.alive = true
			close(p.aliveOnce)
		}
	case first >= 20 && first < 64:
		p.pipe.feed(in.Data)
	case first >= 128 && first < 192 && p.rx != nil:
		if in.Data[1] >= 192 && in.Data[1] < 224 {
			if plain, err := p.rx.DecryptRTCP(nil, in.Data, nil); err == nil {
				p.hear(plain, now)
				if e.from > 0 {
					e.r.rtcpHeard++
				}
			}
			return
		}
		plain, err := p.rx.DecryptRTP(e.opened, in.Data, &p.header)
		if err != nil {
			e.r.broken++
			return
		}
		p.heard(&p.header, in.At)
		n, _, sent, ok := readStamp(plain)
		if !ok || int(n) >= len(e.flows) || e.from == 0 || sent < e.from || sent >= e.to {
			return
		}
		if e.flows[n].to != p {
			e.r.misled++
			return
		}
		e.r.delivered++
		e.r.latency.Add(time.Duration(in.At - sent))
	}
}
