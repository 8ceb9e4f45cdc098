package relay

// A room whose one user hears and sees itself.

import (
	"net/netip"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

func TestLoop(t *testing.T) {
	for name, networks := range map[string][]webrtc.NetworkType{
		"UDP": {webrtc.NetworkTypeUDP4},
		"TCP": {webrtc.NetworkTypeTCP4},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			var e events
			if err := s.Reserve("c_1", [2]string{"alice", "alice"}, [2]netip.Addr{}, e.tell); err != nil {
				t.Fatal(err)
			}
			if err := s.Offer("c_1", "bob", "v=0"); err == nil {
				t.Error("a second user has got a place")
			}
			for range 2 { // the second time alice comes back with another connection
				a := join(t, s, "c_1", "alice", clientOptions{networks: networks})
				connect(t, a)
				until(t, "alice's own sound and pictures", func() bool {
					a.send("audio", []byte("a"))
					a.send("video", keyPayload)
					return len(a.received("audio")) > 5 && len(a.received("video")) > 5
				})
				// What she says of what she gets comes back as said of what she sends.
				plis := count[*rtcp.PictureLossIndication](a)
				ssrc := a.received("video")[0].SSRC
				until(t, "her own request for a key frame", func() bool {
					if err := a.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}); err != nil {
						t.Fatal(err)
					}
					return count[*rtcp.PictureLossIndication](a) > plis
				})
				s.Mute("c_1", "alice", "video", false)
				pictures, sounds := len(a.received("video")), len(a.received("audio"))
				until(t, "sound alone", func() bool {
					a.send("video", keyPayload)
					a.send("audio", []byte("a"))
					return len(a.received("audio")) > sounds+20
				})
				if n := len(a.received("video")) - pictures; n > 1 { // one may have been on its way
					t.Errorf("%d pictures of a camera that is off", n)
				}
				s.Mute("c_1", "alice", "video", true)
				a.leave()
			}
			until(t, "ready", func() bool { return e.has("ready") })
			if n := e.count(); n != 1 {
				t.Errorf("the relay told %v, want ready and no more", e.seen)
			}
			s.Close("c_1")
		})
	}
}
