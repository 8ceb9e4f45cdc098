package relay

// Real pion clients call each other through a real relay.

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"duet/relay/plane"
)

func TestMediaBothWays(t *testing.T) {
	for name, networks := range map[string][]webrtc.NetworkType{
		"UDP": {webrtc.NetworkTypeUDP4},
		"TCP": {webrtc.NetworkTypeTCP4},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			a, b, e := pair(t, s, clientOptions{networks: networks})
			talk(t, a, b)
			until(t, "ready", func() bool { return e.has("ready") })
			for party, want := range map[string]bool{"alice": true, "bob": true, "carol": false, "": false} {
				if got := s.Connected("c_1", party); got != want {
					t.Errorf("%q has a connected leg: %v", party, got)
				}
			}
			headers := b.received("video")
			for i := 1; i < len(headers); i++ {
				if headers[i].SequenceNumber-headers[i-1].SequenceNumber != 1 {
					t.Errorf("video numbers jump from %d to %d", headers[i-1].SequenceNumber, headers[i].SequenceNumber)
				}
			}
			s.Close("c_1") // and goleak sees to it that nothing stays
			if s.Connected("c_1", "alice") {
				t.Error("a closed call has legs")
			}
		})
	}
}

func TestMute(t *testing.T) {
	s := start(t, nil)
	var e events
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	s.Mute("c_1", "alice", "audio", false) // before the relay starts
	opts := clientOptions{kinds: []string{"audio", "video", "video2"}}
	a, b := join(t, s, "c_1", "alice", opts), join(t, s, "c_1", "bob", opts)
	connect(t, a, b)
	until(t, "alice's video", func() bool {
		a.send("audio", []byte("x"))
		a.send("video", keyPayload)
		a.send("video2", keyPayload)
		b.send("audio", []byte("a"))
		return len(b.received("video")) > 5 && len(a.received("audio")) > 5
	})
	if n := len(b.received("audio")); n != 0 {
		t.Errorf("%d packets of a microphone that was off from the start", n)
	}
	if n := len(b.received("screen")); n != 0 {
		t.Errorf("%d packets of a screen that was never on", n)
	}

	s.Mute("c_1", "alice", "video", false)
	before := len(b.received("video"))
	plis := count[*rtcp.PictureLossIndication](a)
	for range 300 { // far more than a receiver forgives
		a.send("video", keyPayload)
		a.send("audio", []byte("x"))
	}
	until(t, "the relay to have dropped them", func() bool {
		return s.room("c_1").tr.Counts(0).Dropped[plane.Muted] >= 600-2
	})
	s.Mute("c_1", "alice", "audio", true)
	until(t, "alice's audio", func() bool { a.send("audio", []byte("a")); return len(b.received("audio")) > 0 })
	if n := len(b.received("video")) - before; n > 1 { // one may have been on its way
		t.Errorf("%d packets of a camera that is off", n)
	}

	s.Mute("c_1", "alice", "video", true)
	until(t, "a request for a key frame", func() bool { return count[*rtcp.PictureLossIndication](a) > plis })
	for range 5 {
		a.send("video", deltaPayload)
	}
	until(t, "video again", func() bool { a.send("video", keyPayload); return len(b.received("video")) > before+3 })
	if text := b.payloads("video"); strings.Contains(text, "d") {
		t.Error("a picture was forwarded that builds on muted ones")
	}
	headers := b.received("video")
	for i := 1; i < len(headers); i++ {
		if headers[i].SequenceNumber-headers[i-1].SequenceNumber != 1 {
			t.Errorf("numbers jump over a mute: %d, %d", headers[i-1].SequenceNumber, headers[i].SequenceNumber)
		}
		if int32(headers[i].Timestamp-headers[i-1].Timestamp) <= 0 {
			t.Errorf("timestamps do not advance: %d, %d", headers[i-1].Timestamp, headers[i].Timestamp)
		}
	}

	s.Mute("c_1", "alice", "screen", true)
	until(t, "alice's screen", func() bool { a.send("video2", keyPayload); return len(b.received("screen")) > 3 })
}

func TestFeedbackGoesEndToEnd(t *testing.T) {
	s := start(t, nil)
	a, b, _ := pair(t, s, clientOptions{})
	talk(t, a, b)
	var ssrc, audio webrtc.SSRC
	for _, r := range b.pc.GetReceivers() {
		if r.Track().Kind() == webrtc.RTPCodecTypeVideo {
			ssrc = r.Track().SSRC()
		} else {
			audio = r.Track().SSRC()
		}
	}
	unique := []byte{0x10, 0x00, 'u'}
	sent := a.send("video", unique)
	var last uint16
	until(t, "the packet that the feedback is about", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		i := slices.Index(b.body["video"], string(unique))
		if i < 0 {
			return false
		}
		last = b.in["video"][i].SequenceNumber
		return true
	})
	var mine webrtc.SSRC
	for _, snd := range a.pc.GetSenders() {
		if snd.Track().Kind() == webrtc.RTPCodecTypeVideo {
			mine = snd.GetParameters().Encodings[0].SSRC
		}
	}
	plis := count[*rtcp.PictureLossIndication](a)
	err := b.pc.WriteRTCP([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{
			{SSRC: uint32(ssrc), FractionLost: 7, TotalLost: 9, LastSequenceNumber: uint32(last), Jitter: 11, LastSenderReport: 13, Delay: 17},
			{SSRC: uint32(audio), FractionLost: 1},
		}},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: uint32(ssrc), Nacks: []rtcp.NackPair{{PacketID: last, LostPackets: 0}}},
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: uint32(ssrc)},
		&rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: uint32(ssrc), FIR: []rtcp.FIREntry{{SSRC: uint32(ssrc), SequenceNumber: 5}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 123456, SSRCs: []uint32{uint32(ssrc)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "all feedback", func() bool {
		return count[*rtcp.PictureLossIndication](a) > plis && count[*rtcp.TransportLayerNack](a) > 0 && count[*rtcp.FullIntraRequest](a) > 0 &&
			count[*rtcp.ReceiverEstimatedMaximumBitrate](a) > 0 && count[*rtcp.ReceiverReport](a) > 0
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.control {
		switch p := p.(type) {
		case *rtcp.TransportLayerNack:
			if p.MediaSSRC != uint32(mine) || p.Nacks[0].PacketID != sent {
				t.Errorf("NACK for %d of %d, want %d of %d", p.Nacks[0].PacketID, p.MediaSSRC, sent, mine)
			}
		case *rtcp.FullIntraRequest:
			if p.FIR[0].SSRC != uint32(mine) || p.FIR[0].SequenceNumber != 5 {
				t.Errorf("FIR %+v, want one for %d", p.FIR, mine)
			}
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			if len(p.SSRCs) != 1 || p.SSRCs[0] != uint32(mine) || p.Bitrate != 123456 {
				t.Errorf("REMB %v for %v", p.Bitrate, p.SSRCs)
			}
		case *rtcp.ReceiverReport:
			for _, r := range p.Reports {
				if r.SSRC == uint32(mine) && (r.FractionLost != 7 || r.TotalLost != 9 || uint16(r.LastSequenceNumber) != sent || r.Jitter != 11 || r.LastSenderReport != 13 || r.Delay != 17) {
					t.Errorf("report %+v, want the receiver's own and number %d", r, sent)
				}
			}
		}
	}
}

// A page that is reloaded makes a new connection: the other end goes on hearing one stream.
func TestPartyComesBack(t *testing.T) {
	s := start(t, nil)
	a, b, e := pair(t, s, clientOptions{})
	talk(t, a, b)
	a.leave()
	a2 := join(t, s, "c_1", "alice", clientOptions{})
	connect(t, a2)
	before := len(b.received("video"))
	until(t, "video of the new connection", func() bool {
		a2.send("video", keyPayload)
		b.send("video", keyPayload)
		return len(b.received("video")) > before+3 && len(a2.received("video")) > 3
	})
	headers := b.received("video")
	for i := 1; i < len(headers); i++ {
		if headers[i].SSRC != headers[0].SSRC || headers[i].SequenceNumber-headers[i-1].SequenceNumber != 1 {
			t.Errorf("stream breaks at %d: %d/%d, %d/%d", i, headers[i-1].SSRC, headers[i-1].SequenceNumber, headers[i].SSRC, headers[i].SequenceNumber)
		}
	}
	if e.has("failed") {
		t.Errorf("events %q", e.seen)
	}
}

func TestICERestart(t *testing.T) {
	s := start(t, nil)
	a, b, _ := pair(t, s, clientOptions{})
	talk(t, a, b)
	if err := a.negotiate(&webrtc.OfferOptions{ICERestart: true}); err != nil {
		t.Fatal(err)
	}
	n := len(b.received("audio"))
	until(t, "audio after the restart", func() bool { a.send("audio", []byte("a")); return len(b.received("audio")) > n+5 })
}

// Clients that differ are answered with what both have, under each one's own numbers.
func TestCommonCodecs(t *testing.T) {
	s := start(t, nil)
	e := &events{}
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	odd := func(m *webrtc.MediaEngine) error {
		for pt, c := range map[webrtc.PayloadType]webrtc.RTPCodecCapability{
			120: {MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack", Parameter: "pli"}}},
			121: {MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=120"},
		} {
			if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: c, PayloadType: pt}, webrtc.RTPCodecTypeVideo); err != nil {
				return err
			}
		}
		return m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, PayloadType: 109,
		}, webrtc.RTPCodecTypeAudio)
	}
	a := join(t, s, "c_1", "alice", clientOptions{})
	b := join(t, s, "c_1", "bob", clientOptions{codecs: odd})
	connect(t, a, b)
	answer := a.pc.RemoteDescription().SDP
	for _, not := range []string{"H264", "VP9", "AV1", "PCMU", "goog-remb"} {
		if strings.Contains(answer, not) {
			t.Errorf("alice was answered %s, which bob does not have", not)
		}
	}
	talk(t, a, b)
	if pt := a.received("video")[0].PayloadType; pt != 96 {
		t.Errorf("alice receives payload type %d, want her own 96", pt)
	}
	if pt := b.received("video")[0].PayloadType; pt != 120 {
		t.Errorf("bob receives payload type %d, want his own 120", pt)
	}
}

// A data channel beside the media, as simple-peer always has one: it is refused, and the media flows.
func TestDataChannelIsRefusedAlone(t *testing.T) {
	s := start(t, nil)
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	a, b := join(t, s, "c_1", "alice", clientOptions{}), join(t, s, "c_1", "bob", clientOptions{})
	for _, c := range []*client{a, b} {
		if _, err := c.pc.CreateDataChannel("chat", nil); err != nil {
			t.Fatal(err)
		}
	}
	connect(t, a, b)
	talk(t, a, b)
	if answer := a.pc.RemoteDescription().SDP; !strings.Contains(answer, "m=application 0 ") {
		t.Errorf("answer\n%s", answer)
	}
	if err := a.negotiate(&webrtc.OfferOptions{ICERestart: true}); err != nil {
		t.Error(err)
	}
	talk(t, a, b)
}

func TestNothingInCommon(t *testing.T) {
	s := start(t, nil)
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	only := func(mime string, pt webrtc.PayloadType) clientOptions {
		return clientOptions{kinds: []string{"audio"}, codecs: func(m *webrtc.MediaEngine) error {
			if err := m.RegisterCodec(webrtc.RTPCodecParameters{
				RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: uint16(pt)}, PayloadType: pt,
			}, webrtc.RTPCodecTypeAudio); err != nil {
				return err
			}
			return nil
		}}
	}
	a, b := join(t, s, "c_1", "alice", only("opus", 1)), join(t, s, "c_1", "bob", only("opus", 2))
	errs := make(chan error)
	for _, c := range []*client{a, b} {
		go func() { errs <- c.negotiate(nil) }()
	}
	for range 2 {
		if err := <-errs; err == nil || !strings.Contains(err.Error(), "no codec in common") {
			t.Errorf("error %v, want one that says there is no codec in common", err)
		}
	}
}

// A party that was answered alone may already send what the second does not understand: the room fails and says so, and the
// clients ask anew.
func TestSecondLacksTheFirstsCodec(t *testing.T) {
	s := start(t, nil)
	e := &events{}
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	a := join(t, s, "c_1", "alice", clientOptions{})
	if err := a.negotiate(nil); err != nil { // after pairWait
		t.Fatal(err)
	}
	b := join(t, s, "c_1", "bob", clientOptions{codecs: func(m *webrtc.MediaEngine) error {
		for pt, c := range map[webrtc.PayloadType]webrtc.RTPCodecCapability{
			98: {MimeType: webrtc.MimeTypeVP9, ClockRate: 90000, SDPFmtpLine: "profile-id=0"}, 111: {MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		} {
			kind := webrtc.RTPCodecTypeVideo
			if pt == 111 {
				kind = webrtc.RTPCodecTypeAudio
			}
			if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: c, PayloadType: pt}, kind); err != nil {
				return err
			}
		}
		return nil
	}, kinds: []string{"audio"}})
	if _, err := b.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo); err != nil {
		t.Fatal(err)
	}
	if err := b.negotiate(nil); err == nil || !strings.Contains(err.Error(), "vp8") {
		t.Errorf("error %v, want one about VP8", err)
	}
	until(t, "failure", func() bool { return e.has("failed the two ends do not share vp8") })
}

func TestTooManyOffers(t *testing.T) {
	s := start(t, nil)
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nobody waits for an answer
	offer := strings.ReplaceAll(chromeOffer, "\n", "\r\n")
	for i := 0; ; i++ {
		_, err := s.Answer(ctx, "c_1", "alice", offer)
		if err != nil && strings.Contains(err.Error(), "too many offers") {
			if i < offerBurst {
				t.Errorf("refused after %d", i)
			}
			return
		}
		if i > 10*offerBurst {
			t.Fatal("no end")
		}
	}
}

func TestAnswerIsComplete(t *testing.T) {
	s := start(t, func(c *Config) { c.PublicIP = "203.0.113.7, 2001:db8::7" })
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	c := join(t, s, "c_1", "alice", clientOptions{})
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.Answer(context.Background(), "c_1", "alice", offer.SDP) // the other party never comes: answered after a while
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"203.0.113.7 ", "2001:db8::7 ", "udp", "tcptype passive", "a=ice-lite", "a=end-of-candidates", "a=setup:passive", "a=sendrecv", "msid:peer video"} {
		if !strings.Contains(answer, want) {
			t.Errorf("no %q in the answer\n%s", want, answer)
		}
	}
	if strings.Contains(answer, "127.0.0.1") {
		t.Error("the answer names an internal address")
	}
	if first := strings.Index(answer, "a=ssrc:"); first < 0 || !strings.Contains(answer, "a=ssrc-group:FID "+strings.Fields(answer[first+7:])[0]) && !strings.Contains(answer[:first], "m=audio") {
		t.Error("the first a=ssrc of a section is not its primary one")
	}
}
