package relay

// This file writes and reads the few lines of SDP that matter here.

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	uriMid  = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
	uriTWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// media is one section: audio or video.
type media struct {
	kind string
	mid  string
	pt   uint8 // of Opus or VP8
	exts map[string]uint8
	fb   []string // feedback of pt
	ssrc uint32
}

// description is what one side says.
type description struct {
	ufrag, pwd, fingerprint, setup string
	lite                           bool
	candidates                     []netip.AddrPort // UDP and IPv4
	media                          []media
}

// offered is what our clients offer, in the order that Duet's relay wants.
func offered(rtcp bool) []media {
	audio := media{kind: "audio", mid: "0", pt: 111, exts: map[string]uint8{uriMid: 4, uriTime: 2}}
	video := media{kind: "video", mid: "1", pt: 96, exts: map[string]uint8{uriMid: 4, uriTime: 2}, fb: []string{"goog-remb", "ccm fir", "nack", "nack pli"}}
	if rtcp {
		audio.exts[uriTWCC], video.exts[uriTWCC] = 3, 3
		audio.fb, video.fb = append(audio.fb, "transport-cc"), append(video.fb, "transport-cc")
	}
	return []media{audio, video}
}

// text writes the description of a peer.
func (p *peer) text(setup string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("v=0")
	line("o=- %d 2 IN IP4 127.0.0.1", p.session)
	line("s=-")
	line("t=0 0")
	var mids []string
	for _, m := range p.media {
		mids = append(mids, m.mid)
	}
	line("a=group:BUNDLE %s", strings.Join(mids, " "))
	line("a=msid-semantic: WMS")
	for _, m := range p.media {
		line("m=%s 9 UDP/TLS/RTP/SAVPF %d", m.kind, m.pt)
		line("c=IN IP4 0.0.0.0")
		line("a=rtcp:9 IN IP4 0.0.0.0")
		line("a=candidate:1 1 udp 2122260223 %s %d typ host generation 0", p.addr, p.port)
		line("a=end-of-candidates")
		line("a=ice-ufrag:%s", p.ufrag)
		line("a=ice-pwd:%s", p.pwd)
		line("a=fingerprint:sha-256 %s", p.fingerprint)
		line("a=setup:%s", setup)
		line("a=mid:%s", m.mid)
		for _, uri := range []string{uriMid, uriTime, uriTWCC} {
			if id := m.exts[uri]; id != 0 {
				line("a=extmap:%d %s", id, uri)
			}
		}
		line("a=sendrecv")
		line("a=msid:stream %s", m.kind)
		line("a=rtcp-mux")
		line("a=rtcp-rsize")
		if m.kind == "audio" {
			line("a=rtpmap:%d opus/48000/2", m.pt)
			line("a=fmtp:%d minptime=10;useinbandfec=1", m.pt)
		} else {
			line("a=rtpmap:%d VP8/90000", m.pt)
		}
		for _, f := range m.fb {
			line("a=rtcp-fb:%d %s", m.pt, f)
		}
		line("a=ssrc:%d cname:bench", m.ssrc)
	}
	return b.String()
}

// parse reads the other side's description.
func parse(text string) (description, error) {
	var d description
	var m *media
	rejected := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case strings.HasPrefix(line, "m="):
			f := strings.Fields(line[2:])
			if len(f) < 4 {
				return d, fmt.Errorf("media line %q", line)
			}
			rejected = rejected || f[1] == "0"
			d.media = append(d.media, media{kind: f[0], exts: map[string]uint8{}})
			m = &d.media[len(d.media)-1]
		case key == "a=ice-lite":
			d.lite = true
		case key == "a=ice-ufrag":
			d.ufrag = value
		case key == "a=ice-pwd":
			d.pwd = value
		case key == "a=setup":
			d.setup = value
		case key == "a=fingerprint" && len(fields) == 2:
			d.fingerprint = fields[1]
		case key == "a=candidate" && len(fields) >= 8 && strings.EqualFold(fields[2], "udp"):
			ip, err := netip.ParseAddr(fields[4])
			port, err2 := strconv.ParseUint(fields[5], 10, 16)
			if err == nil && err2 == nil && ip.Is4() {
				if at := netip.AddrPortFrom(ip, uint16(port)); !slices.Contains(d.candidates, at) {
					d.candidates = append(d.candidates, at)
				}
			}
		case m == nil:
		case key == "a=mid":
			m.mid = value
		case key == "a=rtpmap" && len(fields) == 2:
			name := strings.ToLower(fields[1])
			if strings.HasPrefix(name, "opus/") || strings.HasPrefix(name, "vp8/") {
				n, err := strconv.ParseUint(fields[0], 10, 7)
				if err == nil && m.pt == 0 {
					m.pt = uint8(n)
				}
			}
		case key == "a=rtcp-fb" && len(fields) >= 2 && fields[0] == strconv.Itoa(int(m.pt)):
			m.fb = append(m.fb, strings.Join(fields[1:], " "))
		case key == "a=extmap" && len(fields) >= 2:
			id, _, _ := strings.Cut(fields[0], "/")
			if n, err := strconv.ParseUint(id, 10, 8); err == nil {
				m.exts[fields[1]] = uint8(n)
			}
		case key == "a=ssrc" && len(fields) > 0 && m.ssrc == 0:
			n, _ := strconv.ParseUint(fields[0], 10, 32)
			m.ssrc = uint32(n)
		}
	}
	switch {
	case d.ufrag == "" || d.pwd == "" || d.fingerprint == "":
		return d, errors.New("the description has no ICE credentials or no fingerprint")
	case len(d.candidates) == 0:
		return d, errors.New("the description has no IPv4 address to send to")
	case rejected || len(d.media) < 2:
		return d, errors.New("audio or video was refused")
	}
	return d, nil
}
