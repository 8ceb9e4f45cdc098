package signaling

// This file plays calls over the wire, as a stranger's client sees them.

import (
	"testing"
	"testing/synctest"
	"time"
)

const (
	testOffer     = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
	testCandidate = "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host"
)

func TestPlainCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann"), w.join("Bob")
		a.send(msg{"type": "call", "target": "bob"})
		in := b.expect("incomingCall")
		call := in.str("callId")
		b.equal(in, msg{"type": "incomingCall", "caller": "Ann", "callerId": a.id, "callId": call})
		b.send(msg{"type": "callResponse", "accepted": true})
		a.equal(a.expect("callAnswered"), msg{"type": "callAnswered", "accepted": true, "callee": "Bob", "calleeId": b.id, "callId": call})
		offer := msg{"type": "offer", "sdp": testOffer}
		a.send(msg{"type": "offer", "target": b.id, "offer": offer})
		b.equal(b.expect("offer"), msg{"type": "offer", "offer": offer, "caller": "Ann", "callerId": a.id, "callId": call})
		answer := msg{"type": "answer", "sdp": testOffer}
		b.send(msg{"type": "answer", "target": "Ann", "answer": answer})
		a.equal(a.expect("answer"), msg{"type": "answer", "answer": answer, "sender": "Bob", "senderId": b.id, "callId": call})
		for _, candidate := range []any{
			msg{"candidate": testCandidate, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": nil},
			msg{"candidate": ""},
			nil,
		} {
			a.send(msg{"type": "iceCandidate", "target": "Bob", "candidate": candidate})
			b.equal(b.expect("iceCandidate"), msg{"type": "iceCandidate", "candidate": candidate, "sender": "Ann", "senderId": a.id, "callId": call})
		}
		b.send(msg{"type": "mediaStateChange", "mediaType": "video", "enabled": false})
		a.equal(a.expect("mediaStateChange"), msg{"type": "mediaStateChange", "audio": true, "video": false, "screen": false,
			"sender": "Bob", "senderId": b.id, "callId": call, "mediaType": "video", "enabled": false})
		b.send(msg{"type": "mediaStateChange", "audio": false, "screen": true})
		a.equal(a.expect("mediaStateChange"), msg{"type": "mediaStateChange", "audio": false, "video": false, "screen": true,
			"sender": "Bob", "senderId": b.id, "callId": call})
		a.send(msg{"type": "endCall"})
		b.equal(b.expect("callEnded"), msg{"type": "callEnded", "caller": "Ann", "callerId": a.id, "callId": call, "reason": "hangup"})
		a.nothing(time.Second)
		b.nothing(time.Second)
	})
}
