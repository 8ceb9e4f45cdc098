//go:build linux

package e2e

// What the browser measures of a call, and the path it tells of.

import (
	"fmt"
)

// Stats is one RTCPeerConnection as getStats tells it; sums over its streams.
type Stats struct {
	State    string     `json:"state"`
	ICE      string     `json:"ice"`
	Local    *Candidate `json:"local"`
	Remote   *Candidate `json:"remote"`
	InVideo  *Stream    `json:"inVideo"`
	InAudio  *Stream    `json:"inAudio"`
	OutVideo *Stream    `json:"outVideo"`
	OutAudio *Stream    `json:"outAudio"`
}

// Candidate is one end of the selected pair.
type Candidate struct {
	Type          string `json:"type"`
	Protocol      string `json:"protocol"`
	RelayProtocol string `json:"relayProtocol"` // of a local relay candidate: udp, tcp or tls
	Address       string `json:"address"`
	Port          int    `json:"port"`
	URL           string `json:"url"`
}

// Stream sums the streams of one kind and direction. Frames are decoded or encoded ones.
type Stream struct {
	Frames    int     `json:"frames"`
	KeyFrames int     `json:"keyFrames"`
	Bytes     int     `json:"bytes"`
	Packets   int     `json:"packets"`
	Lost      int     `json:"lost"`
	Width     int     `json:"width"`
	Height    int     `json:"height"`
	Energy    float64 `json:"energy"`
	Concealed float64 `json:"concealed"`
	Playout   float64 `json:"playout"` // the sender's time of what is played now, in ms
}

// Flow is what came in, over all connections that are open.
type Flow struct {
	Frames, VideoBytes, AudioBytes int
	AudioEnergy                    float64
	OutFrames, OutAudioBytes       int
}

func flow(all []Stats) Flow {
	var f Flow
	for _, s := range all {
		if s.InVideo != nil {
			f.Frames += s.InVideo.Frames
			f.VideoBytes += s.InVideo.Bytes
		}
		if s.InAudio != nil {
			f.AudioBytes += s.InAudio.Bytes
			f.AudioEnergy += s.InAudio.Energy
		}
		if s.OutVideo != nil {
			f.OutFrames += s.OutVideo.Frames
		}
		if s.OutAudio != nil {
			f.OutAudioBytes += s.OutAudio.Bytes
		}
	}
	return f
}

// path names the way of the selected pair: "direct", "turn" or "relay", the last being known by the server's port.
func (s Stats) path(relayPort int) string {
	switch {
	case s.Local == nil || s.Remote == nil:
		return ""
	case s.Remote.Port == relayPort:
		return "relay"
	case s.Local.Type == "relay" || s.Remote.Type == "relay":
		return "turn"
	}
	return "direct"
}

func (s Stats) String() string {
	end := func(c *Candidate) string {
		if c == nil {
			return "none"
		}
		return fmt.Sprintf("%s/%s%s %s:%d", c.Type, c.Protocol, c.RelayProtocol, c.Address, c.Port)
	}
	in := func(st *Stream) string {
		if st == nil {
			return "-"
		}
		return fmt.Sprintf("%d frames %d bytes %d packets %d lost energy %.4f", st.Frames, st.Bytes, st.Packets, st.Lost, st.Energy)
	}
	return fmt.Sprintf("%s/%s %s -> %s; video in: %s; audio in: %s; video out: %s; audio out: %s",
		s.State, s.ICE, end(s.Local), end(s.Remote), in(s.InVideo), in(s.InAudio), in(s.OutVideo), in(s.OutAudio))
}
