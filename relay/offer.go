package relay

// What the relay reads out of a client's offer.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"duet/relay/plane"
)

const (
	maxSections = 16  // of which three are carried
	maxCodecs   = 128 // payload types there can be
)

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
	sdp      string // with the sections that are carried
	identity string // of the association: its fingerprint. Some clients write another session id into each offer
	sections []section
	refused  map[int]*sdp.MediaDescription // the others, by their place

	desc sdp.SessionDescription
}

// parseOffer reads a client's offer. The text of its errors may be shown to the client.
func parseOffer(text string) (*offer, error) {
	// The reader ends a line at either character, the writer at both: a lone CR would make two lines of a value.
	o := &offer{}
	if strings.Count(text, "\r") != strings.Count(text, "\r\n") || o.desc.UnmarshalString(text) != nil {
		return nil, reason("the offer is not valid SDP")
	}
	if len(o.desc.MediaDescriptions) > maxSections {
		return nil, reason(fmt.Sprintf("the offer has more than %d media sections", maxSections))
	}
	if slices.ContainsFunc(o.desc.Attributes, func(a sdp.Attribute) bool { return strings.TrimSpace(a.Key) == "ice-lite" }) {
		// pion would take a named address for a checked one.
		return nil, reason("the relay is ICE-lite: whoever offers to it must check the path")
	}
	withoutCandidates(&o.desc)
	o.identity, _ = o.desc.Attribute("fingerprint")
	for _, m := range o.desc.MediaDescriptions {
		if f, ok := m.Attribute("fingerprint"); ok {
			o.identity = f
		}
	}
	if o.identity = strings.ToLower(o.identity); o.identity == "" {
		return nil, reason("the offer has no fingerprint")
	}
	return o, o.read(nil)
}

// read finds the sections that the relay carries: one of audio, and two of video, the second for a screen. Those that were
// agreed before stay what they are. All others, data channels among them, are refused each for itself (RFC 3264, section 6).
func (o *offer) read(before []section) error {
	o.sections, o.refused = nil, map[int]*sdp.MediaDescription{}
	taken := map[plane.Kind]bool{}
	for _, s := range before {
		taken[s.kind] = true
	}
	carried := o.desc
	carried.MediaDescriptions = nil
	for i, m := range o.desc.MediaDescriptions {
		kind, ok := kindOf(m, before, taken)
		if !ok { // pion would take data channels, tens of thousands of them, that nobody reads
			o.refused[i] = m
			continue
		}
		s, err := parseSection(kind, m)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(o.sections, func(other section) bool { return other.mid == s.mid }) {
			return reason("two media sections of the offer have one mid")
		}
		taken[kind] = true
		o.sections = append(o.sections, s)
		carried.MediaDescriptions = append(carried.MediaDescriptions, m)
	}
	if len(o.sections) == 0 {
		return reason("the offer has no audio or video")
	}
	camera, screen := find(o.sections, plane.Video), find(o.sections, plane.Screen)
	if len(before) == 0 && screen != nil && screen.asks && !camera.asks { // it sends on one and receives on the other
		camera.kind, screen.kind = plane.Screen, plane.Video
	}
	text, err := carried.Marshal()
	if err != nil {
		return fmt.Errorf("write the offer again: %w", err)
	}
	o.sdp = string(text)
	return nil
}

// kindOf is what a section is carried as, if it is.
func kindOf(m *sdp.MediaDescription, before []section, taken map[plane.Kind]bool) (plane.Kind, bool) {
	mid, _ := m.Attribute("mid")
	media := m.MediaName.Media
	for _, s := range before {
		if s.mid == mid {
			return s.kind, (s.kind == plane.Audio) == (media == "audio") && (media == "audio" || media == "video")
		}
	}
	if _, bundleOnly := m.Attribute("bundle-only"); m.MediaName.Port.Value == 0 && !bundleOnly {
		return 0, false // withdrawn by the client itself
	}
	for _, k := range map[string][]plane.Kind{"audio": {plane.Audio}, "video": {plane.Video, plane.Screen}}[media] {
		if !taken[k] {
			return k, true
		}
	}
	return 0, false
}

// withoutCandidates drops the addresses that a client names: checks come from where the client really is, and a thousand
// of them would be a thousand pairs for each look at them.
func withoutCandidates(desc *sdp.SessionDescription) {
	named := func(a sdp.Attribute) bool { return strings.TrimSpace(a.Key) == "candidate" }
	desc.Attributes = slices.DeleteFunc(desc.Attributes, named)
	for _, m := range desc.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, named)
	}
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
		return s, reason("a media section names more codecs than there are payload types")
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
		return s, reason("a media section of the offer has no mid")
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
