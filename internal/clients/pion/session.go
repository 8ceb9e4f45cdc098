// What the client does with each message and each line.

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/pion/webrtc/v4"
)

// session is owned by main's goroutine, but for out and the counts.
type session struct {
	options options
	out     chan fields
	servers []webrtc.ICEServer
	theirs  string                               // the key of the other side's connection
	pcs     map[string]*connection               // "" to the other party, "relay" to the server
	early   map[string][]webrtc.ICECandidateInit // that came before the description that they belong to
	status  struct {
		Joined bool   `json:"joined"`
		Call   string `json:"call"`
		Ended  string `json:"ended"`
		Error  string `json:"error"`
		Peer   media  `json:"peer"`
		Audio  int64  `json:"audio"`
		Video  int64  `json:"video"`
		Data   int64  `json:"data"`
		State  string `json:"state"`
	}
	audio, video, data atomic.Int64
	noAudio, noVideo   atomic.Bool
}

func (s *session) send(kind string, f fields) {
	f["type"] = kind
	s.out <- f
}

func (s *session) say() {
	s.status.Audio, s.status.Video, s.status.Data, s.status.State = s.audio.Load(), s.video.Load(), s.data.Load(), "none"
	for _, to := range []string{"relay", ""} {
		if c := s.pcs[to]; c != nil {
			s.status.State = c.pc.ConnectionState().String()
		}
	}
	line, _ := json.Marshal(s.status) // of strings, numbers and booleans
	fmt.Println(string(line))
}

func (s *session) command(command, arg string) {
	switch command {
	case "call":
		s.send("call", fields{"target": arg})
	case "end":
		s.send("endCall", fields{})
		s.over("own")
	case "mute", "unmute":
		off := map[string]*atomic.Bool{"audio": &s.noAudio, "video": &s.noVideo}[arg]
		off.Store(command == "mute")
		s.send("mediaStateChange", fields{"mediaType": arg, "enabled": command != "mute"})
	}
}

func (s *session) drop(which ...string) {
	for _, to := range which {
		if c := s.pcs[to]; c != nil {
			delete(s.pcs, to)
			c.close()
		}
	}
}

func (s *session) over(reason string) {
	s.status.Call, s.status.Ended = "none", reason
	s.drop("", "relay")
}

func (s *session) begin() {
	s.drop("", "relay")
	clear(s.early)
	s.status.Call, s.status.Ended, s.status.Peer = "accepted", "", media{true, true}
}

// serversFor is what a path leaves of welcome's list: one URL of one kind.
func (s *session) serversFor() []webrtc.ICEServer {
	for _, server := range s.servers {
		for _, u := range server.URLs {
			scheme, rest, _ := strings.Cut(u, ":")
			if s.options.Path == "tls" && scheme == "turns" || scheme == "turn" && strings.HasSuffix(rest, "transport="+s.options.Path) {
				server.URLs = []string{u}
				return []webrtc.ICEServer{server}
			}
		}
	}
	return nil
}

// keyOf is the fingerprint by which a connection is known.
func keyOf(sdp string) string {
	_, rest, _ := strings.Cut(sdp, "a=fingerprint:")
	key, _, _ := strings.Cut(rest, "\r\n")
	return key
}

func (s *session) offer(to string) error {
	c, err := s.connect(to)
	if err != nil {
		return err
	}
	if err := c.add(); err != nil {
		return err
	}
	if strings.Contains(s.options.Media, "data") {
		channel, err := c.pc.CreateDataChannel("test", nil)
		if err != nil {
			return err
		}
		c.talk(channel)
	}
	d, err := c.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	s.send("offer", fields{"target": to, "offer": d}) // ahead of its candidates
	return c.pc.SetLocalDescription(d)
}

func (s *session) answer(offer webrtc.SessionDescription) error {
	c := s.pcs[""]
	if c != nil && s.theirs != keyOf(offer.SDP) { // it begins anew
		s.drop("")
		c = nil
	}
	s.theirs = keyOf(offer.SDP)
	if c == nil {
		var err error
		if c, err = s.connect(""); err != nil {
			return err
		}
		if strings.Contains(s.options.Media, "both") {
			if err := c.add(); err != nil {
				return err
			}
		}
	}
	if err := s.described("", offer); err != nil {
		return err
	}
	d, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	s.send("answer", fields{"answer": d})
	return c.pc.SetLocalDescription(d)
}

// described sets the other side's description, and adds the candidates that came before it.
func (s *session) described(from string, d webrtc.SessionDescription) error {
	c := s.pcs[from]
	if err := c.pc.SetRemoteDescription(d); err != nil {
		return err
	}
	early := s.early[from]
	delete(s.early, from)
	for _, candidate := range early {
		if err := c.pc.AddICECandidate(candidate); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) on(m message) error {
	from := ""
	if m.SenderID == "relay" {
		from = "relay"
	}
	c := s.pcs[from]
	switch m.Type {
	case "welcome":
		s.servers, s.status.Joined = m.ICEServers, true
	case "incomingCall":
		s.begin()
		s.send("callResponse", fields{"accepted": true})
	case "callAnswered":
		switch {
		case !m.Accepted:
			s.over(m.Reason)
		case s.options.Relay: // relayStart comes
			s.begin()
		default:
			s.begin()
			return s.offer("")
		}
	case "offer":
		return s.answer(m.Offer)
	case "answer":
		if from == "" {
			s.theirs = keyOf(m.Answer.SDP)
		}
		if c != nil {
			return s.described(from, m.Answer)
		}
	case "iceCandidate":
		switch {
		case m.Candidate == nil:
		case c != nil && c.pc.RemoteDescription() != nil:
			return c.pc.AddICECandidate(*m.Candidate)
		default:
			s.early[from] = append(s.early[from], *m.Candidate)
		}
	case "mediaStateChange":
		s.status.Peer = media{m.Audio, m.Video}
	case "callEnded":
		s.over(m.Reason)
	case "relayStart":
		if s.options.Relay {
			s.drop("relay")
			return s.offer("relay")
		}
	case "relayReady":
		s.drop("")
	case "relayStop", "relayFailed":
		s.drop("relay")
	case "error":
		s.status.Error = m.Request + " " + m.Code + " " + m.Message
	}
	return nil
}
