package signaling

// This file tests why a call is said not to connect, and who is told when.

import (
	"bytes"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

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
	saw := func(d protocol.DiagnosisRequest) func(*end, *endFacts) {
		return func(e *end, _ *endFacts) { e.diagnosis = &d }
	}
	behindNAT := protocol.DiagnosisRequest{Candidates: host | srflx, Protocols: udp | tcp, Families: v4, TheirFamilies: v4, Answered: true}
	with := func(d protocol.DiagnosisRequest, change func(*protocol.DiagnosisRequest)) func(*end, *endFacts) {
		change(&d)
		return saw(d)
	}
	stun701, udp701 := protocol.Blocked{By: 0, Code: 701}, protocol.Blocked{By: 1, Code: 701}
	noTURN := []protocol.Blocked{stun701, udp701, {By: 2, Code: 701}, {By: 3, Code: 701}}
	facts := func(change func(*end, *endFacts)) func(*end, *endFacts) {
		return func(e *end, f *endFacts) { e.diagnosis = &behindNAT; change(e, f) }
	}
	legSilent := facts(func(e *end, _ *endFacts) { e.legAt = long })
	legWorks := facts(func(e *end, f *endFacts) { e.legAt = long; f.leg = true })
	for _, c := range []struct {
		what           string
		caller, callee func(*end, *endFacts)
		announced      []netip.Addr // by TURN and the relay
		want           string       // code, and where as the caller hears it
	}{
		{"nothing explains it", nil, nil, nil, "unknown both"},
		{"nothing told by anybody", saw(behindNAT), func(*end, *endFacts) {}, nil, "unknown both"},

		{"the callee's WebSocket is gone", nil, facts(func(_ *end, f *endFacts) { f.gone = true }), nil, "peer-gone peer"},
		{"the callee never answered", nil, facts(func(e *end, _ *endFacts) { e.spoke = false }), nil, "peer-gone peer"},
		{"the caller never offered", facts(func(e *end, _ *endFacts) { e.spoke = false }), facts(func(e *end, _ *endFacts) { e.spoke = false }), nil, "peer-gone self"},
		{"whoever is gone had no UDP either", nil, facts(func(e *end, f *endFacts) { e.diagnosis, f.gone = nil, true }), nil, "peer-gone peer"},

		{"the caller's browser gives nothing", saw(protocol.DiagnosisRequest{}), nil, nil, "browser-blocked self"},
		{"nor does the callee's", saw(protocol.DiagnosisRequest{}), saw(protocol.DiagnosisRequest{}), nil, "browser-blocked both"},
		{"a new connection has gathered nothing yet", facts(func(e *end, _ *endFacts) { e.diagnosis, e.gathered = &protocol.DiagnosisRequest{}, true }), nil, nil, "unknown both"},

		{"TURN alone was allowed, and refused", saw(protocol.DiagnosisRequest{Blocked: []protocol.Blocked{{By: 1, Code: 401}}}), nil, nil, "credentials-refused self"},
		{"TURN alone was allowed, and does not answer", saw(protocol.DiagnosisRequest{Blocked: noTURN}), nil, nil, "turn-unreachable self"},

		{"TURN refused, says TURN", facts(func(_ *end, f *endFacts) { f.refusals = []int{438, 401} }), nil, nil, "credentials-refused self"},
		{"TURN refused, says the callee", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = []protocol.Blocked{{By: 1, Code: 401}} }), nil, "credentials-refused peer"},
		{"TURN refused both, another user's", facts(func(_ *end, f *endFacts) { f.refusals = []int{441} }), facts(func(_ *end, f *endFacts) { f.refusals = []int{441} }), nil, "credentials-refused both"},
		{"refused once, served then", facts(func(_ *end, f *endFacts) { f.refusals, f.allocations, f.heard = []int{401}, []string{"udp"}, true }), nil, nil, "unknown both"},
		{"refused for another reason", facts(func(_ *end, f *endFacts) { f.refusals = []int{486} }), nil, nil, "unknown both"},

		{"a private address for somebody far away", facts(func(e *end, f *endFacts) { e.legAt, f.public = long, protocol.IP4 }), legWorks, []netip.Addr{private}, "wrong-public-address self"},
		{"for both, as their own STUN shows", facts(func(e *end, _ *endFacts) { e.legAt, e.public = long, protocol.IP4 }), facts(func(e *end, _ *endFacts) { e.legAt, e.public = long, protocol.IP4 }), []netip.Addr{private}, "wrong-public-address both"},
		{"a private address for a neighbour", legSilent, legSilent, []netip.Addr{private}, "relay-firewalled both"},
		{"a public one beside it", facts(func(e *end, f *endFacts) { e.legAt, f.public = long, protocol.IP4 }), legWorks, []netip.Addr{private, here}, "relay-firewalled self"},
		{"only of the other family", facts(func(e *end, f *endFacts) { e.legAt, f.public = long, protocol.IP6 }), legWorks, []netip.Addr{here}, "wrong-public-address self"},
		{"an allocation at a private address, which the callee cannot reach", facts(func(_ *end, f *endFacts) { f.allocations = []string{"tcp"} }),
			facts(func(e *end, _ *endFacts) { e.public = protocol.IP4 }), []netip.Addr{private}, "wrong-public-address peer"},

		{"TURN does not answer the caller", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Candidates, d.Blocked = host, noTURN }), nil, nil, "turn-unreachable self"},
		{"nor anybody, and no relay helps", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = noTURN }), with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = noTURN }), nil, "turn-unreachable both"},
		{"one protocol of TURN is enough", facts(func(e *end, f *endFacts) {
			d := behindNAT
			d.Blocked = noTURN[2:]
			e.diagnosis, f.allocations, f.heard = &d, []string{"udp"}, true
		}), nil, nil, "unknown both"},

		{"STUN alone, and no answer", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Candidates, d.Blocked = host, []protocol.Blocked{stun701} }), nil, nil, "no-udp self"},
		{"TURN over TCP alone", nil, facts(func(e *end, f *endFacts) {
			e.diagnosis = &protocol.DiagnosisRequest{Candidates: host | relayed, Protocols: udp | tcp, Families: v4, Blocked: []protocol.Blocked{stun701, udp701}}
			f.allocations, f.heard = []string{"tcp"}, true
		}), nil, "no-udp peer"},
		{"a browser without UDP", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Protocols = tcp }), with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Protocols = tcp }), nil, "no-udp both"},
		{"one address without an answer", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Blocked = []protocol.Blocked{stun701} }), nil, nil, "unknown both"},

		{"no leg comes up", legSilent, legSilent, []netip.Addr{here}, "relay-firewalled both"},
		{"the callee's does not", legWorks, legSilent, []netip.Addr{here}, "relay-firewalled peer"},
		{"a leg that has only begun", facts(func(e *end, _ *endFacts) { e.legAt = now.Add(-time.Second) }), legWorks, []netip.Addr{here}, "unknown both"},
		{"an allocation that hears nothing", facts(func(_ *end, f *endFacts) { f.allocations = []string{"tcp"} }), nil, []netip.Addr{here}, "relay-firewalled peer"},
		{"two allocations need no port", facts(func(_ *end, f *endFacts) { f.allocations = []string{"tcp"} }), facts(func(_ *end, f *endFacts) { f.allocations = []string{"udp"} }), nil, "unknown both"},

		{"IPv4 and IPv6", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v6 }), nil, "ip-mismatch both"},
		{"of a plain client one only sees it", with(behindNAT, func(d *protocol.DiagnosisRequest) { d.TheirFamilies = v6 }), func(*end, *endFacts) {}, nil, "ip-mismatch both"},
		{"hidden protocol.Addresses tell nothing", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v6 | hidden }), nil, "unknown both"},
		{"both and one", nil, with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v4 | v6 }), nil, "unknown both"},
		{"TURN between them", facts(func(_ *end, f *endFacts) { f.allocations, f.heard = []string{"udp"}, true }), with(behindNAT, func(d *protocol.DiagnosisRequest) { d.Families = v6 }), nil, "unknown both"},
	} {
		var ends [2]end
		known := factsAbout(c.announced)
		for i, change := range []func(*end, *endFacts){c.caller, c.callee} {
			ends[i].spoke = true
			if change == nil {
				change = saw(behindNAT)
			}
			change(&ends[i], &known.end[i])
		}
		v := judge(now, ends, known)
		if got := v.code + " " + v.where(0); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		other := map[string]string{"self": "peer", "peer": "self", "both": "both"}[v.where(0)]
		if v.where(1) != other {
			t.Errorf("%s: the callee hears %q, the caller %q", c.what, v.where(1), v.where(0))
		}
	}
}

func factsAbout(announced []netip.Addr) facts {
	return facts{turnAddresses: announced, legAddresses: announced}
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

// TestVerdictIsToldLoggedAndCounted goes through all of it, with a hostile diagnosis on the other side.
func TestVerdictIsToldLoggedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		registry := prometheus.NewRegistry()
		n := &neighbour{mode: "fallback", refused: []int{401}}
		w := newWorld(t, func(_ *Config, d *Deps) {
			d.TURN, d.Metrics, d.Log = ledger{n}, registry, slog.New(slog.NewTextHandler(&log, nil))
		})
		a, b := w.join("Ann", "verdict"), w.join("Bob", "verdict")
		call := connect(a, b)
		a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": "v=0"}})
		b.expect("offer")
		b.send(msg{"type": "answer", "answer": msg{"type": "answer", "sdp": "v=0"}})
		a.expect("answer")
		start := time.Now()
		a.send(msg{"type": "diagnosis", "candidates": []string{"host", "<script>"}, "protocols": []string{"udp"}, "families": []string{"ip4"},
			"blocked": []msg{{"url": "turn:evil\nlevel=ERROR", "code": 401}}, "relay": ""})
		verdict := msg{"type": "verdict", "callId": call, "code": "credentials-refused", "where": "both"}
		a.equal(a.expect("verdict"), verdict)
		b.equal(b.expect("verdict"), verdict)
		if took := time.Since(start); took != diagnosisTime {
			t.Errorf("the other diagnosis was waited for %v, want %v", took, diagnosisTime)
		}
		var lines []string
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "call does not connect") {
				lines = append(lines, line)
			}
		}
		if len(lines) != 1 || !strings.Contains(lines[0], "verdict=credentials-refused") || strings.Contains(lines[0], "script") || strings.Contains(lines[0], "evil") {
			t.Errorf("the log has %q", lines)
		}
		want := "# HELP duet_signaling_verdicts_total Calls that did not connect, by why.\n# TYPE duet_signaling_verdicts_total counter\n"
		for _, v := range verdicts {
			count := map[bool]string{true: " 1\n", false: " 0\n"}[v.code == "credentials-refused"]
			want += `duet_signaling_verdicts_total{code="` + v.code + `"}` + count
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "duet_signaling_verdicts_total"); err != nil {
			t.Error(err)
		}

		// A connection that has fallen silent counts as gone before it is dropped.
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
		n.refused = nil
		connect(a, b)
		a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": "v=0"}})
		b.expect("offer")
		b.send(msg{"type": "answer", "answer": msg{"type": "answer", "sdp": "v=0"}})
		a.expect("answer")
		b.ws.SetPingHandler(func(string) error { return nil })
		for range 4 {
			time.Sleep(6 * time.Second)
			a.send(`{"type":"ping"}`)
			a.expect("pong")
		}
		a.send(msg{"type": "diagnosis", "candidates": []string{"host"}})
		if m := a.expectAfter("verdict", time.Minute); m.str("code") != "peer-gone" || m.str("where") != "peer" {
			t.Errorf("got %v", m)
		}
		b.nothing(time.Second)
	})
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
