package relay

// What an offer is answered with: what both ends can speak, and where the relay is.

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"duet/relay/plane"
)

// extensions are the header extensions whose values mean the same on both legs.
var extensions = []string{
	"urn:ietf:params:rtp-hdrext:sdes:mid",
	"urn:ietf:params:rtp-hdrext:ssrc-audio-level",
	"urn:ietf:params:rtp-hdrext:toffset",
	"urn:3gpp:video-orientation",
	"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
	"http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
	"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
	"http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
	"http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
	"http://www.webrtc.org/experiments/rtp-hdrext/color-space",
	"https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
	transportURI,
}

const transportURI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

// promises are the extensions on which a sender relies: who is answered with them expects the other end to know them.
var promises = []string{transportURI, "urn:3gpp:video-orientation"}

// feedback that the relay passes on.
var feedback = []string{"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}

// intersect is mine, cut down to what the other section speaks too. Without another section, which is a user who has not
// offered yet, it is cut down to what works with any peer: a sender that was promised transport-wide feedback would wait for
// it in vain, retransmissions and redundant audio would be sent to nobody, and a picture that lies on its side would stay so.
func intersect(mine, other *section) section {
	s := *mine
	s.codecs, s.exts = nil, map[string]uint8{}
	for _, c := range mine.codecs {
		allowed := feedback[:len(feedback)-1]
		if other == nil && (c.base != "" || !c.alone) {
			continue
		}
		if other != nil {
			i := slices.IndexFunc(other.codecs, func(d codec) bool { return d.name == c.name })
			if i < 0 {
				continue
			}
			allowed = other.codecs[i].feedback
			if c.family == plane.H264 {
				c.fmtp = h264Level(c.fmtp, other.codecs[i].fmtp)
			}
		}
		var both []string
		for _, f := range c.feedback {
			if slices.Contains(feedback, f) && slices.Contains(allowed, f) && !slices.Contains(both, f) {
				both = append(both, f)
			}
		}
		c.feedback = both
		s.codecs = append(s.codecs, c)
	}
	for uri, id := range mine.exts {
		if slices.Contains(extensions, uri) && (other == nil && !slices.Contains(promises, uri) || other != nil && other.exts[uri] != 0) {
			s.exts[uri] = id
		}
	}
	return s
}

// engine makes pion answer with these sections.
func engine(sections []section) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	for _, s := range sections {
		kind := pionKind(s.kind)
		for _, c := range s.codecs {
			var fb []webrtc.RTCPFeedback
			for _, f := range c.feedback {
				name, param, _ := strings.Cut(f, " ")
				fb = append(fb, webrtc.RTCPFeedback{Type: name, Parameter: param})
			}
			err := m.RegisterCodec(webrtc.RTPCodecParameters{
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: c.mime, ClockRate: c.clock, Channels: c.channels, SDPFmtpLine: c.fmtp, RTCPFeedback: fb,
				},
				PayloadType: webrtc.PayloadType(c.pt),
			}, kind)
			if err != nil {
				return nil, fmt.Errorf("register codec %s as %d: %w", c.mime, c.pt, err)
			}
		}
		for uri := range s.exts {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, fmt.Errorf("register header extension %s: %w", uri, err)
			}
		}
	}
	return m, nil
}

func pionKind(k plane.Kind) webrtc.RTPCodecType {
	if k == plane.Audio {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

// stream is a section in the plane's words.
func (s section) stream() *plane.Stream {
	out := &plane.Stream{Exts: s.exts, Mid: s.mid, Source: s.ssrc, SourceRTX: s.rtx}
	for _, c := range s.codecs {
		out.Codecs = append(out.Codecs, plane.Codec{Name: c.name, PT: c.pt, Clock: c.clock, Family: c.family})
	}
	return out
}

// ufrag is the user fragment of a description of ours.
func ufrag(text string) string {
	_, rest, _ := strings.Cut(text, "a=ice-ufrag:")
	u, _, _ := strings.Cut(rest, "\r\n")
	return u
}

// withCandidates replaces pion's candidates by the addresses that clients can reach. One component, and all of them at
// once: relay answers need no trickling. The sections that pion was not given it refuses, each at its place.
func withCandidates(answer string, refused map[int]*sdp.MediaDescription, at []netip.Addr, port uint16, streams []uint16) (string, error) {
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(answer); err != nil {
		return "", fmt.Errorf("read own answer: %w", err)
	}
	placed := false
	for _, m := range desc.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
			return a.Key == "candidate" || a.Key == "end-of-candidates"
		})
		if placed || m.MediaName.Port.Value == 0 {
			continue
		}
		placed = true
		// RFC 8445, 5.1.2.1: host candidates, UDP before TCP (RFC 6544, 4.2), and in the order of the addresses.
		n := uint32(0)
		candidate := func(protocol string, preference uint32, ip netip.Addr, port uint16, more string) {
			priority := preference<<24 | (65535-n)<<8 | 255
			n++
			m.WithValueAttribute("candidate", fmt.Sprintf("%d 1 %s %d %s %d typ host%s", n, protocol, priority, ip, port, more))
		}
		for _, ip := range at {
			candidate("udp", 126, ip, port, "")
			for _, tcp := range streams {
				candidate("tcp", 90, ip, tcp, " tcptype passive")
			}
		}
		m.WithPropertyAttribute("end-of-candidates")
	}
	for _, i := range slices.Sorted(maps.Keys(refused)) {
		desc.MediaDescriptions = slices.Insert(desc.MediaDescriptions, min(i, len(desc.MediaDescriptions)), refusal(refused[i]))
	}
	out, err := desc.Marshal()
	return string(out), err
}

// refusal is the answer to a section that is not carried (RFC 3264, section 6).
func refusal(m *sdp.MediaDescription) *sdp.MediaDescription {
	out := &sdp.MediaDescription{MediaName: m.MediaName, ConnectionInformation: &sdp.ConnectionInformation{
		NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"},
	}}
	out.MediaName.Port = sdp.RangedPort{}
	if mid, ok := m.Attribute("mid"); ok {
		out.WithValueAttribute("mid", mid)
	}
	return out.WithPropertyAttribute("inactive")
}
