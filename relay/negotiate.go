package relay

// What both ends can speak: each leg is answered with what the other one offers as well.

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"duet/relay/plane"
)

const (
	maxSections = 4   // audio, video, screen, data
	maxCodecs   = 128 // payload types there can be
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

// feedback that the relay passes on.
var feedback = []string{"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}

// families are the codecs that can be relayed, by lower-case encoding name.
var families = map[string]int{
	"opus": plane.Opaque, "red": plane.RED, "g722": plane.Opaque, "pcmu": plane.Opaque, "pcma": plane.Opaque,
	"cn": plane.Opaque, "telephone-event": plane.Opaque,
	"vp8": plane.VP8, "vp9": plane.VP9, "h264": plane.H264, "av1": plane.AV1, "rtx": plane.Opaque,
}

// codec is one payload type of an offer.
type codec struct {
	name     string // see plane.Codec
	base     string // the name of the codec that this one refers to: of retransmissions and redundant audio
	family   int
	pt       uint8
	mime     string
	clock    uint32
	channels uint16
	fmtp     string
	feedback []string
}

// section is one media section of an offer.
type section struct {
	kind        plane.Kind
	mid         string
	sends, asks bool // the client sends, wants to receive
	codecs      []codec
	exts        map[string]uint8
	ssrc, rtx   uint32
}

// offer is what the relay reads out of a client's SDP.
type offer struct {
	sdp      string
	identity string // of the association: fingerprint and session id
	sections []section
}

// parseOffer reads a client's offer. The text of its errors may be shown to the client.
func parseOffer(text string) (*offer, error) {
	// The reader ends a line at either character, the writer at both: a lone CR would make two lines of a value.
	var desc sdp.SessionDescription
	if strings.Count(text, "\r") != strings.Count(text, "\r\n") || desc.UnmarshalString(text) != nil {
		return nil, errors.New("the offer is not valid SDP")
	}
	if len(desc.MediaDescriptions) > maxSections {
		return nil, fmt.Errorf("the offer has more than %d media sections", maxSections)
	}
	if slices.ContainsFunc(desc.Attributes, func(a sdp.Attribute) bool { return strings.TrimSpace(a.Key) == "ice-lite" }) {
		// pion would take a named address for a checked one.
		return nil, errors.New("the relay is ICE-lite: whoever offers to it must check the path")
	}
	text, err := withoutCandidates(&desc)
	if err != nil {
		return nil, fmt.Errorf("write the offer again: %w", err)
	}
	o := &offer{sdp: text}
	fingerprint, _ := desc.Attribute("fingerprint")
	videos := 0
	for _, m := range desc.MediaDescriptions {
		if f, ok := m.Attribute("fingerprint"); ok {
			fingerprint = f
		}
		var kind plane.Kind
		switch m.MediaName.Media {
		case "audio":
			kind = plane.Audio
		case "video":
			kind = plane.Video + plane.Kind(videos)
			videos++
		default: // pion would take data channels, tens of thousands of them, that nobody reads
			return nil, errors.New("the relay carries audio and video alone")
		}
		if kind >= plane.Kinds || slices.ContainsFunc(o.sections, func(s section) bool { return s.kind == kind }) {
			return nil, errors.New("the offer has more than one audio, one video and one screen section")
		}
		s, err := parseSection(kind, m)
		if err != nil {
			return nil, err
		}
		o.sections = append(o.sections, s)
	}
	if fingerprint == "" || len(o.sections) == 0 {
		return nil, errors.New("the offer has no media, or no fingerprint")
	}
	o.identity = strings.ToLower(fingerprint) + " " + strconv.FormatUint(desc.Origin.SessionID, 10)
	return o, nil
}

// withoutCandidates drops the addresses that a client names: checks come from where the client really is, and a thousand
// of them would be a thousand pairs for each look at them.
func withoutCandidates(desc *sdp.SessionDescription) (string, error) {
	named := func(a sdp.Attribute) bool { return strings.TrimSpace(a.Key) == "candidate" }
	desc.Attributes = slices.DeleteFunc(desc.Attributes, named)
	for _, m := range desc.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, named)
	}
	out, err := desc.Marshal()
	return string(out), err
}

// find is the section of a kind, or nil.
func find(sections []section, k plane.Kind) *section {
	for i := range sections {
		if sections[i].kind == k {
			return &sections[i]
		}
	}
	return nil
}

func parseSection(kind plane.Kind, m *sdp.MediaDescription) (section, error) {
	s := section{kind: kind, sends: true, asks: true, exts: map[string]uint8{}}
	if len(m.MediaName.Formats) > maxCodecs {
		return s, errors.New("a media section names more codecs than there are payload types")
	}
	rtpmap, fmtp, fb := map[string]string{}, map[string]string{}, map[string][]string{}
	for _, a := range m.Attributes {
		head, rest, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "mid":
			s.mid = a.Value
		case "sendonly":
			s.asks = false
		case "recvonly":
			s.sends = false
		case "inactive":
			s.sends, s.asks = false, false
		case "rtpmap":
			rtpmap[head] = rest
		case "fmtp":
			fmtp[head] = rest
		case "rtcp-fb":
			fb[head] = append(fb[head], rest)
		case "extmap":
			id, _, _ := strings.Cut(head, "/") // a direction may follow
			uri, _, _ := strings.Cut(rest, " ")
			if n, err := strconv.ParseUint(id, 10, 8); err == nil && n > 0 && n < 255 {
				s.exts[uri] = uint8(n)
			}
		case "ssrc":
			if n, err := strconv.ParseUint(head, 10, 32); err == nil && s.ssrc == 0 {
				s.ssrc = uint32(n)
			}
		case "ssrc-group":
			if ids := strings.Fields(rest); head == "FID" && len(ids) == 2 {
				media, err1 := strconv.ParseUint(ids[0], 10, 32)
				rtx, err2 := strconv.ParseUint(ids[1], 10, 32)
				if err1 == nil && err2 == nil {
					s.ssrc, s.rtx = uint32(media), uint32(rtx)
				}
			}
		}
	}
	if s.mid == "" {
		return s, errors.New("a media section of the offer has no mid")
	}
	names := map[string]string{}
	for pass := range 2 { // what refers to other payload types comes second
		for _, format := range m.MediaName.Formats {
			c, ok := parseCodec(kind, format, rtpmap[format], fmtp[format], names)
			if !ok || (pass == 1) != (c.base != "") || names[format] != "" {
				continue
			}
			c.feedback = append(slices.Clone(fb[format]), fb["*"]...)
			names[format] = c.name
			s.codecs = append(s.codecs, c)
		}
	}
	return s, nil
}

// parseCodec reads one payload type. names are those of the payload types it may refer to.
func parseCodec(kind plane.Kind, format, rtpmap, fmtp string, names map[string]string) (codec, bool) {
	pt, err := strconv.ParseUint(format, 10, 7)
	parts := strings.Split(rtpmap, "/")
	if err != nil || len(parts) < 2 {
		return codec{}, false
	}
	clock, err := strconv.ParseUint(parts[1], 10, 32)
	name := strings.ToLower(parts[0])
	family, ok := families[name]
	if err != nil || !ok || clock == 0 {
		return codec{}, false
	}
	media := "video/"
	if kind == plane.Audio {
		media = "audio/"
	}
	c := codec{family: family, pt: uint8(pt), mime: media + parts[0], clock: uint32(clock), fmtp: fmtp}
	if len(parts) > 2 {
		if n, err := strconv.ParseUint(parts[2], 10, 16); err == nil {
			c.channels = uint16(n)
		}
	}
	p := parameters(fmtp)
	switch name {
	case "rtx":
		c.base = names[p["apt"]]
		c.name = "rtx:" + c.base
		return c, c.base != ""
	case "red":
		if kind != plane.Audio {
			return c, false // carries FEC computed over the names that we change
		}
		first, _, _ := strings.Cut(fmtp, "/")
		c.base = names[first]
		c.name = "red:" + c.base
		return c, c.base != ""
	case "h264":
		level := strings.ToLower(p["profile-level-id"])
		if len(level) != 6 {
			level = "42000a" // RFC 6184, section 8.1
		}
		c.name = fmt.Sprintf("h264 %s %s", or(p["packetization-mode"], "0"), level[:4])
	case "vp9":
		c.name = "vp9 " + or(p["profile-id"], "0")
	case "av1":
		c.name = fmt.Sprintf("av1 %s %s", or(p["profile"], "0"), or(p["tier"], "0"))
	default:
		c.name = fmt.Sprintf("%s %d %d", name, c.clock, max(c.channels, 1))
	}
	return c, true
}

func parameters(fmtp string) map[string]string {
	p := map[string]string{}
	for part := range strings.SplitSeq(fmtp, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		p[strings.ToLower(key)] = value
	}
	return p
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// intersect is mine, cut down to what the other section speaks too. Without another section, which is a party that has not
// offered yet, it is cut down to what the relay can pass on and what works with any peer: a sender that was promised
// transport-wide feedback would wait for it in vain.
func intersect(mine, other *section) section {
	s := *mine
	s.codecs, s.exts = nil, map[string]uint8{}
	for _, c := range mine.codecs {
		allowed := feedback[:len(feedback)-1]
		if other != nil {
			i := slices.IndexFunc(other.codecs, func(d codec) bool { return d.name == c.name })
			if i < 0 {
				continue
			}
			allowed = other.codecs[i].feedback
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
		if slices.Contains(extensions, uri) && (other == nil && uri != transportURI || other != nil && other.exts[uri] != 0) {
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
// once: relay answers need no trickling.
func withCandidates(answer string, at []netip.Addr, port uint16, streams []uint16) (string, error) {
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
	out, err := desc.Marshal()
	return string(out), err
}
