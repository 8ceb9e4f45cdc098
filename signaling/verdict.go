package signaling

// This file finds out why a call does not connect, from what both ends saw and
// what the server knows of them itself.

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"duet/signaling/protocol"
)

const (
	// diagnosisTime is how long the first diagnosis waits for the other end's.
	diagnosisTime = 3 * time.Second
	// silentLeg is how long a relay leg may take to connect.
	silentLeg = 5 * time.Second
)

// end is what the rules have seen of one end of a call.
type end struct {
	diagnosis *protocol.DiagnosisRequest // as it was told
	spoke     bool                       // has sent an offer or an answer, to the other end or to the relay
	gathered  bool                       // has sent a candidate
	public    protocol.Families          // in which it has a public address, its NAT's included
	legAt     time.Time                  // when its leg to the relay was first answered
	flows     bool                       // has reported media
}

// facts are what the server itself knows.
type facts struct {
	end           [2]endFacts // the caller's, the callee's
	turnAddresses []netip.Addr
	legAddresses  []netip.Addr // of the relay
}

type endFacts struct {
	gone        bool              // no WebSocket, or one that has fallen silent
	public      protocol.Families // of the address that the WebSocket comes from
	allocations []string          // with TURN, by transport
	heard       bool              // something came to one of them
	refusals    []int             // by TURN: STUN error codes
	leg         bool              // its leg to the relay is connected
}

// verdict is why a call does not connect, and at which ends.
type verdict struct {
	code string
	at   [2]bool
}

// where names the ends as one of them sees it.
func (v verdict) where(side int) string {
	switch {
	case v.at[0] == v.at[1]:
		return "both"
	case v.at[side]:
		return "self"
	}
	return "peer"
}

// witness is all that is known of one end.
type witness struct {
	end
	endFacts
	caller bool
	now    time.Time
	// Whether what TURN and the relay announce cannot be right for it.
	turnAstray, legAstray bool
}

// verdicts in the order in which they are looked for: first what explains
// everything else, and what fails the ways around a NAT before the NAT itself.
var verdicts = [...]struct {
	code  string
	holds func(x, y *witness) bool
}{
	{"peer-gone", func(x, y *witness) bool { return x.gone || !x.spoke && (x.caller || y.spoke) }},
	{"browser-blocked", func(x, _ *witness) bool {
		d := x.diagnosis // with TURN alone allowed, no candidates is TURN's fault
		return d != nil && d.Candidates == 0 && !x.gathered && len(d.Blocked) == 0
	}},
	{"credentials-refused", func(x, _ *witness) bool {
		return len(x.allocations) == 0 && (x.refused(401) || x.refused(441))
	}},
	{"wrong-public-address", func(x, y *witness) bool {
		return x.silentLeg() && x.legAstray || y.deafAllocation(x) && x.turnAstray
	}},
	{"turn-unreachable", func(x, _ *witness) bool {
		return len(x.allocations) == 0 && (x.unanswered("turn-udp") || x.unanswered("turn-tcp") || x.unanswered("turn-tls"))
	}},
	{"no-udp", func(x, _ *witness) bool { return x.noUDP() }},
	{"relay-firewalled", func(x, y *witness) bool { return x.silentLeg() || y.deafAllocation(x) }},
	{"ip-mismatch", func(x, y *witness) bool {
		ours, theirs := x.families(y), y.families(x)
		return ours&theirs == 0 && ours != 0 && theirs != 0 && len(x.allocations)+len(y.allocations) == 0
	}},
	{"unknown", func(_, _ *witness) bool { return true }},
}

// judge says why a call does not connect.
func judge(now time.Time, ends [2]end, f facts) (v verdict) {
	var w [2]witness
	for i := range w {
		w[i] = witness{end: ends[i], endFacts: f.end[i], caller: i == 0, now: now}
		public := ends[i].public | f.end[i].public
		w[i].turnAstray, w[i].legAstray = astray(f.turnAddresses, public), astray(f.legAddresses, public)
	}
	for _, each := range verdicts {
		v = verdict{each.code, [2]bool{each.holds(&w[0], &w[1]), each.holds(&w[1], &w[0])}}
		if v.at[0] || v.at[1] {
			break
		}
	}
	return v
}

// astray reports whether none of the addresses can be reached by somebody out
// on the internet.
func astray(announced []netip.Addr, public protocol.Families) bool {
	var reached protocol.Families
	for _, a := range announced {
		reached |= protocol.PublicFamily(a)
	}
	return public != 0 && public&reached == 0
}

// refused reports whether TURN refused with this code, as either side saw it.
func (x *witness) refused(code int) bool {
	return slices.Contains(x.refusals, code) ||
		x.diagnosis != nil && slices.ContainsFunc(x.diagnosis.Blocked, func(b protocol.Blocked) bool { return b.Code == code })
}

// unanswered reports whether a kind of server was tried and did not answer.
func (x *witness) unanswered(kind string) bool {
	by := slices.Index(protocol.ServerKinds[:], kind)
	return x.diagnosis != nil && slices.ContainsFunc(x.diagnosis.Blocked, func(b protocol.Blocked) bool { return b.By == by && b.Code == 701 })
}

// noUDP reports whether no UDP gets out, as far as STUN and TURN can tell.
func (x *witness) noUDP() bool {
	d := x.diagnosis
	if d == nil || slices.Contains(x.allocations, "udp") {
		return false
	}
	mapped := d.Candidates & (1<<1 | 1<<2) // srflx, prflx
	return d.Protocols == 1<<1 || mapped == 0 && (x.unanswered("stun") || x.unanswered("turn-udp"))
}

// silentLeg reports whether the relay waits for this end in vain.
func (x *witness) silentLeg() bool {
	return !x.leg && !x.legAt.IsZero() && x.now.Sub(x.legAt) >= silentLeg
}

// deafAllocation reports whether x has an allocation that y, which has none,
// could have reached, and nothing came.
func (x *witness) deafAllocation(y *witness) bool {
	return len(x.allocations) > 0 && len(y.allocations) == 0 && !x.heard && !y.noUDP()
}

// families are what x has by itself or, if it does not tell, by what y saw of
// it; none where addresses were hidden.
func (x *witness) families(y *witness) protocol.Set {
	var seen protocol.Set
	switch {
	case x.diagnosis != nil:
		seen = x.diagnosis.Families
	case y.diagnosis != nil:
		seen = y.diagnosis.TheirFamilies
	}
	if seen&(1<<2) != 0 { // hidden
		return 0
	}
	return seen
}

// diagnosed takes what one end saw. Each end is heard once in a call.
func (m *machine) diagnosed(c *call, p *party, d protocol.DiagnosisRequest) {
	mine, other := &c.ends[p.side], &c.ends[1-p.side]
	if mine.diagnosis != nil {
		return
	}
	mine.diagnosis = &d
	if other.diagnosis == nil && c.other(p).features.Has(protocol.FeatureVerdict) {
		m.do(awaitDiagnosis{c})
		return
	}
	m.do(gatherFacts{c})
}

func (m *machine) diagnosisDue(c *call) {
	if c.phase != ended && c.verdict.code == "" {
		m.do(gatherFacts{c})
	}
}

// evident judges, and tells both unless there is nothing new, or media flows by
// now at whoever complained.
func (m *machine) evident(e evident) {
	c := e.c
	complains := func(x end) bool { return x.diagnosis != nil && !x.flows }
	m.do(stopTimer{c})
	if c.phase == ended || !slices.ContainsFunc(c.ends[:], complains) {
		return
	}
	v := judge(m.now, c.ends, e.facts)
	if v == c.verdict {
		return
	}
	c.verdict = v
	m.do(judged{c, e.facts})
	for side, p := range c.party {
		if p.features.Has(protocol.FeatureVerdict) && !e.facts.end[side].gone {
			m.tell(p, protocol.VerdictMessage{CallID: c.id, Code: v.code, Where: v.where(side)})
		}
	}
}

// facts asks all that know something of a call.
func (h *Hub) facts(c *call) (f facts) {
	if h.turn != nil {
		f.turnAddresses = h.turn.Announced()
	}
	if h.relay != nil {
		f.legAddresses = h.relay.Announced()
	}
	for side, p := range c.party {
		x := &f.end[side]
		s := h.sessions[p.id]
		x.gone = s == nil || s.conn == nil || time.Since(s.conn.wire.LastFrameAt()) > h.cfg.PingInterval+diagnosisTime
		if s != nil && s.conn != nil {
			x.public = protocol.PublicFamily(s.conn.ip)
		}
		if h.turn != nil {
			x.allocations, x.heard, x.refusals = h.turn.UserStatus(p.id)
		}
		x.leg = h.relay != nil && h.relay.Reached(c.id, p.id)
	}
	return f
}

// judged tells the operator.
func (h *Hub) judged(j judged) {
	c := j.c
	h.metrics.verdicts.WithLabelValues(c.verdict.code).Inc()
	attrs := []any{"call", c.id, "verdict", c.verdict.code}
	for side, role := range roles {
		attrs = append(attrs, slog.Group(role,
			"id", c.party[side].id, "to_blame", c.verdict.at[side], "seen", c.ends[side].diagnosis, "known", fmt.Sprintf("%+v", j.facts.end[side])))
	}
	h.log.Warn("call does not connect", attrs...)
}
