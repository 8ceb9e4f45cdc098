package call

// This file tests how it is found out why a call does not connect.

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"duet/signaling/protocol"
)

// words of a diagnosis, as sets.
const (
	host, srflx, prflx, relayed protocol.Set = 1, 2, 4, 8
	udp, tcp                    protocol.Set = 1, 2
	v4, v6, hidden              protocol.Set = 1, 2, 4
)

func TestVerdicts(t *testing.T) {
	now := time.Unix(1000, 0)
	long := now.Add(-time.Minute)
	here := netip.MustParseAddr("198.51.100.1")
	private := netip.MustParseAddr("10.0.0.1")
	saw := func(d protocol.DiagnosisRequest) func(*end, *EndEvidence) {
		return func(e *end, _ *EndEvidence) { e.diagnosis = &d }
	}
	behindNAT := protocol.DiagnosisRequest{Candidates: host | srflx, Protocols: udp | tcp, Families: v4, TheirFamilies: v4, Answered: true}
	with := func(d protocol.DiagnosisRequest, change func(*protocol.DiagnosisRequest)) func(*end, *EndEvidence) {
		change(&d)
		return saw(d)
	}
	stun701, udp701 := protocol.Blocked{By: 0, Code: 701}, protocol.Blocked{By: 1, Code: 701}
	noTURN := []protocol.Blocked{stun701, udp701, {By: 2, Code: 701}, {By: 3, Code: 701}}
	facts := func(change func(*end, *EndEvidence)) func(*end, *EndEvidence) {
		return func(e *end, f *EndEvidence) { e.diagnosis = &behindNAT; change(e, f) }
	}
	legSilent := facts(func(e *end, _ *EndEvidence) { e.legAt = long })
	legWorks := facts(func(e *end, f *EndEvidence) { e.legAt = long; f.Leg = true })
	for _, c := range []struct {
		what           string
		caller, callee func(*end, *EndEvidence)
		announced      []netip.Addr // by TURN and the relay
		want           string       // code, and where as the caller hears it
	}{
		{"nothing explains it", nil, nil, nil, "unknown both"},
		{"nothing told by anybody", saw(behindNAT), func(*end, *EndEvidence) {}, nil, "unknown both"},

		{"the callee's WebSocket is gone", nil, facts(func(_ *end, f *EndEvidence) { f.Gone = true }), nil, "peer-gone peer"},
		{"the callee never answered", nil, facts(func(e *end, _ *EndEvidence) { e.negotiated = false }), nil, "peer-gone peer"},
		{"the caller never offered", facts(func(e *end, _ *EndEvidence) { e.negotiated = false }), facts(func(e *end, _ *EndEvidence) { e.negotiated = false }), nil, "peer-gone self"},
		{"whoever is gone had no UDP either", nil, facts(func(e *end, f *EndEvidence) { e.diagnosis, f.Gone = nil, true }), nil, "peer-gone peer"},

		{"the caller's browser gives nothing", saw(protocol.DiagnosisRequest{}), nil, nil, "browser-blocked self"},
		{"nor does the callee's", saw(protocol.DiagnosisRequest{}), saw(protocol.DiagnosisRequest{}), nil, "browser-blocked both"},
		{"a new connection has gathered nothing yet", facts(func(e *end, _ *EndEvidence) { e.diagnosis, e.gathered = &protocol.DiagnosisRequest{}, true }), nil, nil, "unknown both"},

		{"TURN alone was allowed, and refused", saw(protocol.DiagnosisRequest{Blocked: []protocol.Blocked{{By: 1, Code: 401}}}), nil, nil, "credentials-refused self"},
		{"TURN alone was allowed, and does not answer", saw(protocol.DiagnosisRequest{Blocked: noTURN}), nil, nil, "turn-unreachable self"},

		{"TURN refused, says TURN", facts(func(_ *end, f *EndEvidence) { f.Refusals = []int{438, 401} }), nil, nil, "credentials-refused self"},
		{"TURN refused, says the callee", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = []protocol.Blocked{{By: 1, Code: 401}} }), nil, "credentials-refused peer"},
		{"TURN refused both, another user's", facts(func(_ *end, f *EndEvidence) { f.Refusals = []int{441} }), facts(func(_ *end, f *EndEvidence) { f.Refusals = []int{441} }), nil, "credentials-refused both"},
		{"refused once, served then", facts(func(_ *end, f *EndEvidence) {
			f.Refusals, f.Allocations, f.PeerDataSeen = []int{401}, []string{"udp"}, true
		}), nil, nil, "unknown both"},
		{"refused for another reason", facts(func(_ *end, f *EndEvidence) { f.Refusals = []int{437} }), nil, nil, "unknown both"},
		{"the user has too many allocations, says TURN", facts(func(_ *end, f *EndEvidence) { f.Refusals = []int{486} }), nil, nil, "turn-full self"},
		{"TURN has no more, says the callee", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = []protocol.Blocked{{By: 1, Code: 508}} }), nil, "turn-full peer"},
		{"the same in Firefox, for both", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = []protocol.Blocked{{By: 1, Code: 65535}} }),
			with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = []protocol.Blocked{{By: 3, Code: 65535}} }), nil, "turn-full both"},
		{"full once, served then", facts(func(_ *end, f *EndEvidence) {
			f.Refusals, f.Allocations, f.PeerDataSeen = []int{508}, []string{"udp"}, true
		}), nil, nil, "unknown both"},

		{"a private address for somebody far away", facts(func(e *end, f *EndEvidence) { e.legAt, f.Public = long, protocol.IP4 }), legWorks, []netip.Addr{private}, "wrong-public-address self"},
		{"for both, as their own STUN shows", facts(func(e *end, _ *EndEvidence) { e.legAt, e.public = long, protocol.IP4 }), facts(func(e *end, _ *EndEvidence) { e.legAt, e.public = long, protocol.IP4 }), []netip.Addr{private}, "wrong-public-address both"},
		{"a private address for a neighbour", legSilent, legSilent, []netip.Addr{private}, "relay-firewalled both"},
		{"a public one beside it", facts(func(e *end, f *EndEvidence) { e.legAt, f.Public = long, protocol.IP4 }), legWorks, []netip.Addr{private, here}, "relay-firewalled self"},
		{"only of the other family", facts(func(e *end, f *EndEvidence) { e.legAt, f.Public = long, protocol.IP6 }), legWorks, []netip.Addr{here}, "wrong-public-address self"},
		{"an allocation at a private address, which the callee cannot reach", facts(func(_ *end, f *EndEvidence) { f.Allocations = []string{"tcp"} }),
			facts(func(e *end, _ *EndEvidence) { e.public = protocol.IP4 }), []netip.Addr{private}, "wrong-public-address peer"},

		{"TURN does not answer the caller", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Candidates, d.Blocked = host, noTURN }), nil, nil, "turn-unreachable self"},
		{"nor anybody, and no relay helps", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = noTURN }), with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = noTURN }), nil, "turn-unreachable both"},
		{"one protocol of TURN is enough", facts(func(e *end, f *EndEvidence) {
			d := behindNAT
			d.Blocked = noTURN[2:]
			e.diagnosis, f.Allocations, f.PeerDataSeen = &d, []string{"udp"}, true
		}), nil, nil, "unknown both"},

		{"STUN alone, and no answer", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Candidates, d.Blocked = host, []protocol.Blocked{stun701} }), nil, nil, "no-udp self"},
		{"TURN over TCP alone", nil, facts(func(e *end, f *EndEvidence) {
			e.diagnosis = &protocol.DiagnosisRequest{Candidates: host | relayed, Protocols: udp | tcp, Families: v4, Blocked: []protocol.Blocked{stun701, udp701}}
			f.Allocations, f.PeerDataSeen = []string{"tcp"}, true
		}), nil, "no-udp peer"},
		{"a browser without UDP", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Protocols = tcp }), with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Protocols = tcp }), nil, "no-udp both"},
		{"one address without an answer", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = []protocol.Blocked{stun701} }), nil, nil, "unknown both"},

		{"no leg comes up", legSilent, legSilent, []netip.Addr{here}, "relay-firewalled both"},
		{"the callee's does not", legWorks, legSilent, []netip.Addr{here}, "relay-firewalled peer"},
		{"a leg that has only begun", facts(func(e *end, _ *EndEvidence) { e.legAt = now.Add(-time.Second) }), legWorks, []netip.Addr{here}, "unknown both"},
		{"an allocation that hears nothing", facts(func(_ *end, f *EndEvidence) { f.Allocations = []string{"tcp"} }), nil, []netip.Addr{here}, "relay-firewalled peer"},
		{"two allocations need no port", facts(func(_ *end, f *EndEvidence) { f.Allocations = []string{"tcp"} }), facts(func(_ *end, f *EndEvidence) { f.Allocations = []string{"udp"} }), nil, "unknown both"},

		{"a deaf allocation that nobody needed", facts(func(e *end, f *EndEvidence) { f.Allocations = []string{"udp"} }), facts(func(e *end, _ *EndEvidence) { e.mediaFlows = true }), nil, "unknown both"},
		{"one whose counterpart does not tell", facts(func(_ *end, f *EndEvidence) { f.Allocations = []string{"udp"} }), func(*end, *EndEvidence) {}, nil, "unknown both"},
		{"TURN may not reach a private peer", facts(func(_ *end, f *EndEvidence) { f.Allocations, f.Refusals = []string{"udp"}, []int{403} }), func(*end, *EndEvidence) {}, nil, "turn-peer-denied both"},
		{"the same the other way round, and the peer tells", nil, facts(func(_ *end, f *EndEvidence) { f.Allocations, f.Refusals = []string{"udp"}, []int{403} }), nil, "turn-peer-denied both"},
		{"one with a public address, too", facts(func(_ *end, f *EndEvidence) { f.Allocations, f.Refusals = []string{"udp"}, []int{403} }), facts(func(e *end, _ *EndEvidence) { e.public = protocol.IP4 }), []netip.Addr{here}, "relay-firewalled peer"},
		{"one that has been reached", facts(func(_ *end, f *EndEvidence) {
			f.Allocations, f.Refusals, f.PeerDataSeen = []string{"udp"}, []int{403}, true
		}), nil, nil, "unknown both"},

		{"IPv4 and IPv6", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v6 }), nil, "ip-mismatch both"},
		{"of a plain client one only sees it", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.TheirFamilies = v6 }), func(*end, *EndEvidence) {}, nil, "ip-mismatch both"},
		{"hidden addresses tell nothing", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v6 | hidden }), nil, "unknown both"},
		{"both and one", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v4 | v6 }), nil, "unknown both"},
		{"TURN between them", facts(func(_ *end, f *EndEvidence) { f.Allocations, f.PeerDataSeen = []string{"udp"}, true }), with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v6 }), nil, "unknown both"},
	} {
		var ends [2]end
		known := announcing(c.announced)
		for i, change := range []func(*end, *EndEvidence){c.caller, c.callee} {
			ends[i].negotiated = true
			if change == nil {
				change = saw(behindNAT)
			}
			change(&ends[i], &known.End[i])
		}
		v := diagnose(now, ends, known)
		if got := v.code + " " + v.where(0); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		other := map[string]string{"self": "peer", "peer": "self", "both": "both"}[v.where(0)]
		if v.where(1) != other {
			t.Errorf("%s: the callee hears %q, the caller %q", c.what, v.where(1), v.where(0))
		}
	}
}

func announcing(announced []netip.Addr) Evidence {
	return Evidence{TURNAddresses: announced, RelayAddresses: announced}
}

// TestWhoIsToldAVerdict: when it is found, and in which order they hear.
func TestWhoIsToldAVerdict(t *testing.T) {
	type steps []string // alternating: a step, its effects
	const negotiated = "fay@192.0.2.1, gus<offer"
	begin := steps{"fay call gus", "gus<incomingCall c1 from fay, ring", "fay tells", "fay!not-accepted", "gus accept", "begun, fay<callAnswered yes c1",
		"fay offer", negotiated, "gus answer", "fay<answer of gus"}
	for _, c := range []struct {
		what string
		do   steps
	}{
		{"both tell", append(slices.Clone(begin), "gus tells", "await", "gus tells", "", "fay tells", "gather",
			"fay facts", "judged, fay<unknown both, gus<unknown both", "fay facts", "", "fay due", "", "gus tells", "")},
		{"one tells", append(slices.Clone(begin), "fay tells", "await", "fay due", "gather",
			"fay facts", "judged, fay<unknown both, gus<unknown both", "gus tells", "gather", "fay facts", "")},
		{"whoever is gone is not told", append(slices.Clone(begin), "fay tells", "await", "fay due", "gather", "fay facts gus", "judged, fay<peer-gone peer",
			"gus tells", "gather", "fay facts", "judged, fay<unknown both, gus<unknown both")},
		{"it connects while one waits", append(slices.Clone(begin), "fay tells", "await", "fay connected", "reported", "fay due", "gather", "fay facts", "")},
		{"it connects at the other end only", append(slices.Clone(begin), "fay tells", "await", "gus connected", "reported", "fay due", "gather",
			"fay facts", "judged, fay<unknown both, gus<unknown both")},
		{"nobody waits for a plain client", steps{"fay call bob", "bob<incomingCall c1 from fay, ring", "bob accept", "begun, fay<callAnswered yes c1",
			"fay offer", "fay@192.0.2.1, bob<offer", "bob answer", "fay<answer of bob", "bob tells", "await", "fay tells", "gather", "fay facts", "judged, fay<unknown both"}},
		{"a call that ended meanwhile", append(slices.Clone(begin), "gus tells", "await", "fay end", "gus<callEnded hangup by fay, (hangup)", "fay tells", "")},
	} {
		st := newStage("fallback", "bob", "fay+verdict", "gus+verdict")
		for i := 0; i+1 < len(c.do); i += 2 {
			if got := st.say(c.do[i]); got != c.do[i+1] {
				t.Errorf("%s: after %q\n got: %s\nwant: %s", c.what, c.do[:i+1], got, c.do[i+1])
				break
			}
		}
	}
}
