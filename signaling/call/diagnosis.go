package call

// This file finds out why a call does not connect, from what both ends saw and
// what the server knows of them itself.

import (
	"net/netip"
	"slices"
	"time"

	"duet/signaling/protocol"
)

// DiagnosisWait is how long the first diagnosis waits for the other end's.
const DiagnosisWait = 3 * time.Second

// silentLeg is how long a relay leg may take to connect.
const silentLeg = 5 * time.Second

// end is what the rules have seen of one end of a call.
type end struct {
	diagnosis  *protocol.DiagnosisRequest // as it was told
	negotiated bool                       // has sent an offer or an answer, to the other end or to the relay
	gathered   bool                       // has sent a candidate
	public     protocol.Families          // in which it has a public address, its NAT's included
	legAt      time.Time                  // when its leg to the relay was first answered
	mediaFlows bool                       // has reported media
}

// Evidence is what the server itself knows of a call.
type Evidence struct {
	End            [2]EndEvidence // the caller's, the callee's
	TURNAddresses  []netip.Addr
	RelayAddresses []netip.Addr // of the relay
}

// EndEvidence is what it knows of one end.
type EndEvidence struct {
	Gone         bool              // no connection, or one that has fallen silent
	Public       protocol.Families // of the address that the WebSocket comes from
	Allocations  []string          // with TURN, by transport
	PeerDataSeen bool              // something came to one of them
	Refusals     []int             // by TURN: STUN error codes
	Leg          bool              // its leg to the relay is connected
}

// cause is why a call does not connect, and at which ends.
type cause struct {
	code string
	at   [2]bool
}

// Causes are the codes of all verdicts.
func Causes() []string {
	var codes []string
	for _, each := range causes {
		codes = append(codes, each.code)
	}
	return codes
}

// where names the ends as one of them sees it.
func (v cause) where(side int) string {
	switch {
	case v.at[0] == v.at[1]:
		return "both"
	case v.at[side]:
		return "self"
	}
	return "peer"
}

// endView is all that is known of one end.
type endView struct {
	end
	EndEvidence
	caller bool
	now    time.Time
	// Whether what TURN and the relay announce cannot be right for it.
	wrongTURN, wrongLeg bool
}

// causes in the order in which they are looked for: first what explains
// everything else, and what fails the ways around a NAT before the NAT itself.
var causes = [...]struct {
	code  string
	holds func(x, y *endView) bool
}{
	{"peer-gone", func(x, y *endView) bool { return x.Gone || !x.negotiated && (x.caller || y.negotiated) }},
	{"browser-blocked", func(x, _ *endView) bool {
		d := x.diagnosis // with TURN alone allowed, no candidates is TURN's fault
		return d != nil && d.Candidates == 0 && !x.gathered && len(d.Blocked) == 0
	}},
	{"credentials-refused", func(x, _ *endView) bool {
		return len(x.Allocations) == 0 && (x.refused(401) || x.refused(441))
	}},
	{"turn-full", func(x, _ *endView) bool {
		return len(x.Allocations) == 0 && (x.refused(486) || x.refused(508) || x.refused(protocol.NoCode))
	}},
	{"wrong-public-address", func(x, y *endView) bool {
		return x.silentLeg() && x.wrongLeg || y.silentAllocation(x) && x.wrongTURN
	}},
	{"turn-unreachable", func(x, _ *endView) bool {
		return len(x.Allocations) == 0 && (x.unanswered("turn-udp") || x.unanswered("turn-tcp") || x.unanswered("turn-tls"))
	}},
	{"no-udp", func(x, _ *endView) bool { return x.noUDP() }},
	{"turn-peer-denied", func(x, y *endView) bool { return x.denied(y) || y.denied(x) }},
	{"relay-firewalled", func(x, y *endView) bool { return x.silentLeg() || y.silentAllocation(x) }},
	{"ip-mismatch", func(x, y *endView) bool {
		ours, theirs := x.families(y), y.families(x)
		return ours&theirs == 0 && ours != 0 && theirs != 0 && len(x.Allocations)+len(y.Allocations) == 0
	}},
	{"unknown", func(_, _ *endView) bool { return true }},
}

// diagnose says why a call does not connect.
func diagnose(now time.Time, ends [2]end, known Evidence) (v cause) {
	var w [2]endView
	for i := range w {
		w[i] = endView{end: ends[i], EndEvidence: known.End[i], caller: i == 0, now: now}
		public := ends[i].public | known.End[i].Public
		w[i].wrongTURN, w[i].wrongLeg = wrongAddress(known.TURNAddresses, public), wrongAddress(known.RelayAddresses, public)
	}
	for _, each := range causes {
		v = cause{each.code, [2]bool{each.holds(&w[0], &w[1]), each.holds(&w[1], &w[0])}}
		if v.at[0] || v.at[1] {
			break
		}
	}
	return v
}

// wrongAddress reports whether none of the addresses can be reached by somebody out
// on the internet.
func wrongAddress(announced []netip.Addr, public protocol.Families) bool {
	var reached protocol.Families
	for _, a := range announced {
		reached |= protocol.PublicFamily(a)
	}
	return public != 0 && public&reached == 0
}

// refused reports whether TURN refused with this code, as either side saw it.
func (x *endView) refused(code int) bool {
	return slices.Contains(x.Refusals, code) ||
		x.diagnosis != nil && slices.ContainsFunc(x.diagnosis.Blocked, func(b protocol.Blocked) bool { return b.Code == code })
}

// unanswered reports whether a kind of server was tried and did not answer.
func (x *endView) unanswered(kind string) bool {
	by := slices.Index(protocol.ServerKinds[:], kind)
	return x.diagnosis != nil && slices.ContainsFunc(x.diagnosis.Blocked, func(b protocol.Blocked) bool { return b.By == by && b.Code == 701 })
}

// noUDP reports whether no UDP gets out, as far as STUN and TURN can tell.
func (x *endView) noUDP() bool {
	d := x.diagnosis
	if d == nil || slices.Contains(x.Allocations, "udp") {
		return false
	}
	mapped := d.Candidates & (1<<1 | 1<<2) // srflx, prflx
	return d.Protocols == 1<<1 || mapped == 0 && (x.unanswered("stun") || x.unanswered("turn-udp"))
}

// silentLeg reports whether the relay waits for this end in vain.
func (x *endView) silentLeg() bool {
	return !x.Leg && !x.legAt.IsZero() && x.now.Sub(x.legAt) >= silentLeg
}

// waits reports whether x has an allocation to which nothing came, and y, which has
// none, was to come there, unless media flows without.
func (x *endView) waits(y *endView) bool {
	return len(x.Allocations) > 0 && len(y.Allocations) == 0 && !x.PeerDataSeen && !x.mediaFlows && !y.mediaFlows
}

// silentAllocation reports whether x has an allocation that y could have reached, and
// nothing came. Of a client that does not tell what it sees nobody knows whether it
// has tried.
func (x *endView) silentAllocation(y *endView) bool {
	return x.waits(y) && y.diagnosis != nil && !y.noUDP()
}

// denied reports whether TURN may not let x reach y, which has private addresses only.
func (x *endView) denied(y *endView) bool {
	return x.waits(y) && x.refused(403) && y.end.public|y.EndEvidence.Public == 0
}

// families are what x has by itself or, if it does not tell, by what y saw of
// it; none where addresses were hidden.
func (x *endView) families(y *endView) protocol.Set {
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
func (m *Machine) diagnosed(c *Call, p *User, request protocol.Request) {
	d := request.(protocol.DiagnosisRequest)
	mine, other := &c.ends[p.Side], &c.ends[1-p.Side]
	if mine.diagnosis != nil {
		return
	}
	mine.diagnosis = &d
	if other.diagnosis == nil && c.Other(p).Features.Has(protocol.FeatureVerdict) {
		m.do(StartDiagnosisTimer{c})
		return
	}
	m.do(GatherEvidence{c})
}

func (m *Machine) diagnosisTimeout(c *Call) {
	if c.phase != ended && c.cause.code == "" {
		m.do(GatherEvidence{c})
	}
}

// evidenceGathered diagnoses, and tells both unless there is nothing new, or media
// flows by now at whoever complained.
func (m *Machine) evidenceGathered(e EvidenceGathered) {
	c := e.Call
	complains := func(x end) bool { return x.diagnosis != nil && !x.mediaFlows }
	m.do(StopTimer{c})
	if c.phase == ended || !slices.ContainsFunc(c.ends[:], complains) {
		return
	}
	v := diagnose(m.now, c.ends, e.Evidence)
	if v == c.cause {
		return
	}
	c.cause = v
	m.do(Diagnosed{c, v.code, v.at, [2]*protocol.DiagnosisRequest{c.ends[0].diagnosis, c.ends[1].diagnosis}, e.Evidence})
	for side, p := range c.Party {
		if p.Features.Has(protocol.FeatureVerdict) && !e.Evidence.End[side].Gone {
			m.tell(p, protocol.VerdictMessage{CallID: c.ID, Code: v.code, Where: v.where(side)})
		}
	}
}
