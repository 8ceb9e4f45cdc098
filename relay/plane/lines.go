package plane

// Which of a client's two video lines has its pictures. Duet's page has one for the camera and one for the screen, and says
// which is on. Others send on one and receive on the other, or on the second alone, or have a peer with one line.

import "time"

// source is what a stream of the sender's is read from.
func (t *Translator) source(from Side, k Kind) *Stream {
	if k == Video && t.second[from] {
		k = Screen
	}
	return stream(t.legs[from], k)
}

// choose decides by what was negotiated and by the track states: the second line, where the first sends nothing, or where
// the screen is on and the other end has one line to show it.
func (t *Translator) choose(from Side) (second bool) {
	first, other := stream(t.legs[from], Video), stream(t.legs[from], Screen)
	switch {
	case other == nil || other.RecvOnly:
		second = false
	case first == nil || first.RecvOnly:
		second = true
	case t.on[from][Screen]:
		second = stream(t.legs[t.across(from)], Screen) == nil
	default:
		second = t.second[from] && t.legs[from] != nil // as turned has found it
	}
	t.second[from] = second
	return second
}

// turned decides by what comes, while no screen is said to be on: pictures on the line that is not read, when there are none
// on the other. It reports whether the packet is one of those.
func (t *Translator) turned(from Side, p packet, now time.Duration) bool {
	first, other := stream(t.legs[from], Video), stream(t.legs[from], Screen)
	f := t.flows[from][Video]
	if first == nil || other == nil || f == nil || t.on[from][Screen] || !t.passes(from, Video) || p.payload == p.end {
		return false
	}
	line := other
	if t.second[from] {
		line = first
	}
	if f.lastPacketAt != 0 && now-f.lastPacketAt < sourceSilence || !line.sends(p) {
		return false
	}
	if f.lastPacketAt == 0 { // the first line has its time to begin
		f.lastPacketAt = now
		return false
	}
	t.second[from] = !t.second[from]
	t.link(from, Video, false, false)
	f.take(p.ssrc(), line.SourceRTX)
	return true
}

// sends says whether a packet is one of a line's own pictures, by its SSRC or by its mid.
func (s *Stream) sends(p packet) bool {
	if s.Source != 0 {
		return s.Source == p.ssrc()
	}
	id, same := s.Exts[midURI], false
	if id != 0 {
		p.extensions(func(at uint8, value []byte) uint8 {
			same = same || at == id && string(value) == s.Mid
			return at
		})
	}
	return same
}
