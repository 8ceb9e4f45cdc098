// A call: what the robot does with each message.

package main

import (
	"sync/atomic"

	"github.com/pion/webrtc/v4"
)

type fields = map[string]any

// robot has a connection to the other party, "", and one to the server, "relay", while there is use for them.
type robot struct {
	relays      bool // it wants the relay
	out         chan fields
	ice         []webrtc.ICEServer
	pcs         map[string]*webrtc.PeerConnection
	theirs      string                               // the key of the other party's connection
	early       map[string][]webrtc.ICECandidateInit // before their description
	sound, film *webrtc.TrackLocalStaticSample
	came        [3]atomic.Int64 // packets, by webrtc.RTPCodecType
}

func (r *robot) connect(to string) *webrtc.PeerConnection {
	config := webrtc.Configuration{}
	if to == "" {
		config.ICEServers = r.ice
	}
	pc := must(webrtc.NewPeerConnection(config))
	r.pcs[to] = pc
	must(pc.AddTrack(r.sound))
	must(pc.AddTrack(r.film))
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			r.out <- fields{"type": "iceCandidate", "target": to, "candidate": c.ToJSON()}
		}
	})
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for _, _, err := t.ReadRTP(); err == nil; _, _, err = t.ReadRTP() {
			r.came[t.Kind()].Add(1)
		}
	})
	return pc
}

// tell sends a description ahead of the candidates that come of setting it.
func (r *robot) tell(to string, d webrtc.SessionDescription, err error) {
	r.out <- fields{"type": d.Type.String(), "target": to, d.Type.String(): must(d, err)}
	r.pcs[to].SetLocalDescription(d)
}

// take sets the other side's description, and adds the candidates that came before it.
func (r *robot) take(from string, d webrtc.SessionDescription) bool {
	err := r.pcs[from].SetRemoteDescription(d)
	for _, c := range r.early[from] {
		r.pcs[from].AddICECandidate(c)
	}
	delete(r.early, from)
	return err == nil
}

func (r *robot) drop(to string) {
	if pc := r.pcs[to]; pc != nil {
		pc.Close()
		delete(r.pcs, to)
	}
}

func (r *robot) handle(m message) {
	from := map[bool]string{true: "relay"}[m.SenderID == "relay"]
	pc := r.pcs[from]
	switch {
	case m.Type == "welcome":
		r.ice = m.ICEServers
	case m.Type == "incomingCall":
		r.out <- fields{"type": "callResponse", "accepted": true}
	case m.Type == "callAnswered" && m.Accepted && r.relays:
		r.out <- fields{"type": "relayRequest", "reason": "user"}
	case m.Type == "callAnswered" && m.Accepted:
		d, err := r.connect("").CreateOffer(nil)
		r.tell("", d, err)
	case m.Type == "offer": // the first, or a later one: for the same connection, unless its key is another
		if key := keyOf(m.Offer); key != r.theirs {
			r.theirs = key
			r.drop("")
			pc = nil
		}
		if pc == nil {
			pc = r.connect("")
		}
		if r.take("", m.Offer) {
			d, err := pc.CreateAnswer(nil)
			r.tell("", d, err)
		}
	case m.Type == "answer" && pc != nil:
		if from == "" {
			r.theirs = keyOf(m.Answer)
		}
		r.take(from, m.Answer)
	case m.Type == "iceCandidate" && m.Candidate != nil && pc != nil && pc.RemoteDescription() != nil:
		pc.AddICECandidate(*m.Candidate)
	case m.Type == "iceCandidate" && m.Candidate != nil:
		r.early[from] = append(r.early[from], *m.Candidate)
	case m.Type == "relayStart" && r.relays:
		r.drop("relay")
		d, err := r.connect("relay").CreateOffer(nil)
		r.tell("relay", d, err)
	case m.Type == "relayReady":
		r.drop("")
	case m.Type == "relayStop", m.Type == "relayFailed":
		r.drop("relay")
	case m.Type == "callEnded":
		r.drop("")
		r.drop("relay")
		clear(r.early)
	}
}
