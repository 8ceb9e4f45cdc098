// A connection: what is sent on it, and what is counted.

package main

import (
	"encoding/base64"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	pionmedia "github.com/pion/webrtc/v4/pkg/media"
)

// 20 ms of 400 Hz in Opus, and a blue key frame of VP8.
const (
	tone    = "+LvtelxK5ak5/xnrfWNEKciqNPwIwDhthNHtAvdcInzbA1HrPcXzuQ=="
	picture = "0AIAnQEqQAAwAAOHCIWFiJmEiBOCAnTyZro0eb8Wd8D+899n/srH/+lY//0rH7wXVVPX36A="
)

type connection struct {
	s    *session
	pc   *webrtc.PeerConnection
	done chan struct{} // closed by close
}

func (s *session) connect(to string) (*connection, error) {
	var config webrtc.Configuration
	if to == "" && s.options.Path != "direct" {
		config.ICEServers, config.ICETransportPolicy = s.serversFor(), webrtc.ICETransportPolicyRelay
	}
	pc, err := webrtc.NewPeerConnection(config)
	if err != nil {
		return nil, err
	}
	c := &connection{s, pc, make(chan struct{})}
	s.pcs[to] = c
	pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		if candidate != nil {
			s.send("iceCandidate", fields{"target": to, "candidate": candidate.ToJSON()})
		}
	})
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for p, _, err := t.ReadRTP(); err == nil; p, _, err = t.ReadRTP() {
			if t.Kind() == webrtc.RTPCodecTypeAudio {
				s.audio.Add(1)
			} else if p.Marker {
				s.video.Add(1)
			}
		}
	})
	pc.OnDataChannel(c.talk)
	return c, nil
}

// add gives the connection what its offer, or its answer, is to have.
func (c *connection) add() error {
	switch c.s.options.Media {
	case "receive":
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if _, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
				return err
			}
		}
	case "both", "both data":
		if err := c.play(webrtc.MimeTypeOpus, tone, 20*time.Millisecond, &c.s.noAudio); err != nil {
			return err
		}
		if err := c.play(webrtc.MimeTypeVP8, picture, 100*time.Millisecond, &c.s.noVideo); err != nil {
			return err
		}
	}
	return nil
}

// play sends one thing again and again, unless muted.
func (c *connection) play(codec, what string, every time.Duration, muted *atomic.Bool) error {
	data, err := base64.StdEncoding.DecodeString(what)
	if err != nil {
		return err
	}
	t, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: codec}, codec, "test")
	if err != nil {
		return err
	}
	if _, err := c.pc.AddTrack(t); err != nil {
		return err
	}
	go c.often(every, func() {
		if !muted.Load() {
			t.WriteSample(pionmedia.Sample{Data: data, Duration: every})
		}
	})
	return nil
}

func (c *connection) talk(channel *webrtc.DataChannel) {
	channel.OnMessage(func(webrtc.DataChannelMessage) { c.s.data.Add(1) })
	go c.often(200*time.Millisecond, func() {
		if channel.ReadyState() == webrtc.DataChannelStateOpen {
			channel.SendText("hello")
		}
	})
}

// often does it until the connection is closed.
func (c *connection) often(every time.Duration, do func()) {
	for tick := time.Tick(every); ; {
		select {
		case <-tick:
			do()
		case <-c.done:
			return
		}
	}
}

func (c *connection) close() {
	close(c.done)
	c.pc.Close()
}
