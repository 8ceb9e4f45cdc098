//go:build linux

package calls

// Firefox through TURN.

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

// TestFirefoxThroughTURN: Firefox binds no channel, but sends indications. From the first second on none of its packets goes
// through the library, with another Firefox and with Chromium, over UDP and over TLS, and the pictures come as they do on
// the direct way. (A shorter one: internal/e2e.)
func TestFirefoxThroughTURN(t *testing.T) {
	if !all() {
		t.Skip("takes three minutes: DUET_TEST_ALL=1")
	}
	w := NewWorld(t, WorldOptions{})
	for name, start := range map[string]startBrowser{"Firefox": e2e.StartFirefox, "Chromium": e2e.StartBrowser} {
		var directly [2]int // pictures
		for _, net := range []natlab.Spec{natlab.Home, natlab.Office, natlab.Port443} {
			t.Run(net.Name+" calls "+net.Name+", Firefox and "+name, func(t *testing.T) {
				want := turn
				if net == natlab.Home {
					want = direct
				}
				var r Result
				err := w.a.try(func() {
					a := w.person("firefox-"+net.Name, w.Network(net, 0), e2e.StartFirefox, nil)
					b := w.person(name+"-too-"+net.Name, w.Network(net, 1), start, nil)
					if r = w.Call(a, b, want, CallOptions{Watch: 10 * time.Second, Keep: true}); r.Fault != "" {
						w.a.Fatal(r.Fault)
					}
					defer w.part(a, b)
					if want == direct {
						directly = r.Frames
						return
					}
					for side, n := range r.Frames {
						if n < directly[side]*4/5 {
							w.a.Errorf("%d pictures came in 10 s, %d on the direct way", n, directly[side])
						}
					}
					w.aroundTheLibrary(a, b)
				})
				if err != nil {
					t.Error(err)
				}
				t.Logf("%s: %d and %d pictures, %d and %d freezes", r.How, r.Frames[0], r.Frames[1], r.Freezes[0], r.Freezes[1])
			})
		}
	}
}

// aroundTheLibrary fails when a packet of a call through TURN goes through the library.
func (w *World) aroundTheLibrary(both ...*Person) {
	w.a.Helper()
	around := w.Server.payloads("fast") + w.Server.payloads("socket")
	library := w.Server.payloads("library")
	for _, p := range both {
		p.Sees(50)
	}
	if n := w.Server.payloads("library") - library; n != 0 {
		w.a.Errorf("%v packets went through the library", n)
	}
	if n := w.Server.payloads("fast") + w.Server.payloads("socket") - around; n < 100 {
		w.a.Errorf("%v packets went around the library, and 100 pictures came", n)
	}
}

// payloads is how many payloads TURN has taken from clients on a path.
func (s *Server) payloads(path string) float64 {
	s.t.Helper()
	text, err := s.get("http://127.0.0.1:9080/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, fmt.Sprintf("duet_turn_packets_total{direction=\"up\",path=%q} ", path)); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatalf("there is no metric for the path %s", path)
	return 0
}
