package relay

// Offers as clients write them, and as nobody should.

import (
	"strings"
	"testing"

	"duet/internal/spin"
	"duet/relay/plane"
)

// chromeOffer is what matters of a Chromium's offer.
const chromeOffer = `v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:sha-256 AA:BB
a=setup:actpass
a=candidate:1 1 udp 2113937151 192.168.1.7 5000 typ host
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:3/sendonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=ssrc:11 cname:x
m=video 9 UDP/TLS/RTP/SAVPF 97 96 106 107 35 99 98 114
c=IN IP4 0.0.0.0
a=mid:1
a=recvonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:* nack pli
a=rtcp-fb:96 nack
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:106 H264/90000
a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42E01F
a=rtpmap:107 rtx/90000
a=fmtp:107 apt=55
a=rtpmap:35 AV1/90000
a=rtpmap:98 VP9/90000
a=fmtp:98 profile-id=2
a=rtpmap:99 ulpfec/90000
a=rtpmap:114 red/90000
a=ssrc-group:FID 22 23
a=ssrc:23 cname:x
`

func TestParseOffer(t *testing.T) {
	o, err := parseOffer(strings.ReplaceAll(chromeOffer, "\n", "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	names := func(k plane.Kind) string {
		var all []string
		for _, c := range find(o.sections, k).codecs {
			all = append(all, c.name)
		}
		return strings.Join(all, ", ")
	}
	if got, want := names(plane.Audio), "opus 48000 2, g722 8000 1, pcmu 8000 1, red:opus 48000 2"; got != want {
		t.Errorf("audio: %s, want %s", got, want)
	}
	if got, want := names(plane.Video), "vp8 90000 1, h264 1 42e0, av1 0 0, vp9 2, rtx:vp8 90000 1"; got != want {
		t.Errorf("video: %s, want %s", got, want)
	}
	a, v := find(o.sections, plane.Audio), find(o.sections, plane.Video)
	if a.ssrc != 11 || a.exts[transportURI] != 3 || !a.sends || !a.asks {
		t.Errorf("audio %+v", a)
	}
	if v.ssrc != 22 || v.rtx != 23 || v.sends || !v.asks || strings.Join(v.codecs[0].feedback, ",") != "nack,nack pli" {
		t.Errorf("video %+v", v)
	}
	if !strings.Contains(o.sdp, "a=ice-ufrag:abcd\r\n") || strings.Contains(o.sdp, "192.168.1.7") {
		t.Errorf("pion is given the addresses that the client names, or not the rest:\n%s", o.sdp)
	}
}

func TestParseOfferRefuses(t *testing.T) {
	fine := strings.ReplaceAll(chromeOffer, "\n", "\r\n")
	video := fine[strings.Index(fine, "m=video"):]
	for name, text := range map[string]string{
		"too many sections":            fine + strings.Repeat(video, 3),
		"data channels":                fine + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=sctp-port:5000\r\n",
		"two audio sections":           fine + strings.Replace(video, "m=video", "m=audio", 1),
		"no fingerprint":               strings.Replace(fine, "a=fingerprint", "a=x", 1),
		"no mid":                       strings.Replace(fine, "a=mid:0", "a=x", 1),
		"an agent that does not check": strings.Replace(fine, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", 1),
		"no media":                     fine[:strings.Index(fine, "m=audio")] + "a=fingerprint:sha-256 AA\r\n",
		"too many codecs":              strings.Replace(fine, " 111 63", strings.Repeat(" 111", 200), 1),
		"a line within a value":        strings.Replace(fine, "a=mid:0", "a=mid:0\ra=candidate:1 1 udp 1 192.168.1.7 9 typ host", 1),
		"not a session at all":         "hello",
	} {
		if _, err := parseOffer(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzOffer(f *testing.F) {
	f.Add(strings.ReplaceAll(chromeOffer, "\n", "\r\n"))
	f.Add("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 0 AVP \r\na=fingerprint:a=candidate:0\r\na=mid:0\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		spin.Watch(t)
		o, err := parseOffer(text)
		if err != nil {
			return
		}
		for line := range strings.FieldsFuncSeq(o.sdp, func(r rune) bool { return r == '\r' || r == '\n' }) {
			if strings.HasPrefix(line, "a=candidate:") {
				t.Errorf("candidates are left: %q", o.sdp)
			}
		}
		for i := range o.sections {
			s := intersect(&o.sections[i], &o.sections[i])
			seen := map[string]bool{}
			for _, c := range s.codecs {
				if c.pt > 127 || c.clock == 0 {
					t.Errorf("codec %+v", c)
				}
				seen[c.name] = true
			}
			for _, c := range s.codecs {
				if c.base != "" && !seen[c.base] {
					t.Errorf("%s refers to nothing", c.name)
				}
			}
		}
		_, _ = engine(o.sections)
	})
}
