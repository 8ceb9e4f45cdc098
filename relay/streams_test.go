package relay

import (
	"testing"

	"github.com/pion/rtcp"

	"duet/relay/plane"
)

// pion keeps a stream for each SSRC that a report speaks of. Who names more than any client has loses the leg, not the call.
func TestStreamsAreBounded(t *testing.T) {
	s := start(t, nil)
	s.forcePion = true
	a, b, _ := pair(t, s, clientOptions{})
	talk(t, a, b)
	first := s.room("c_1").leg(plane.Side(0))
	if s.room("c_1").users[0] != a.name {
		first = s.room("c_1").leg(plane.Side(1))
	}
	for i := range uint32(2 * maxStreams) {
		err := a.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 1000 + i}})
		if first.isDead() { // and the client knows it already
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the leg to be closed", first.isDead)
	again := join(t, s, "c_1", a.name, clientOptions{})
	connect(t, again)
	talk(t, again, b)
}
