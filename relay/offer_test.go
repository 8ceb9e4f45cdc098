package relay

// Offers as clients write them, and as nobody should.

import (
	"slices"
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
	if got, want := names(plane.Video), "vp8 90000 1, h264 1 constrained-baseline, av1 0 0, vp9 2, rtx:vp8 90000 1"; got != want {
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
		"too many sections":            fine + strings.Repeat(video, maxSections-1),
		"two sections of one mid":      fine + video,
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

// What the relay does not carry is refused for itself, at its place, and the rest is answered.
func TestRefusedSections(t *testing.T) {
	fine := strings.ReplaceAll(chromeOffer, "\n", "\r\n")
	cut := strings.Index(fine, "m=audio")
	head, audio, video := fine[:cut], fine[cut:strings.Index(fine, "m=video")], fine[strings.Index(fine, "m=video"):]
	data := "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\na=sctp-port:5000\r\n"
	mid := func(section, mid string) string {
		return strings.NewReplacer("a=mid:0", "a=mid:"+mid, "a=mid:1", "a=mid:"+mid).Replace(section)
	}
	for name, c := range map[string]struct {
		text    string
		kinds   string
		refused []int
	}{
		"data channels":      {fine + data, "audio video", []int{2}},
		"data before media":  {head + data + audio + video, "audio video", []int{0}},
		"two of audio":       {fine + mid(audio, "a2"), "audio video", []int{2}},
		"four of video":      {fine + mid(video, "v2") + mid(video, "v3") + mid(video, "v4"), "audio video screen", []int{3, 4}},
		"something else":     {head + strings.Replace(data, "application", "text", 1) + audio, "audio", []int{0}},
		"a withdrawn camera": {fine[:len(head)+len(audio)] + strings.Replace(mid(video, "old"), "m=video 9", "m=video 0", 1) + video, "audio video", []int{1}},
		"a bundled one":      {fine[:len(head)+len(audio)] + strings.Replace(video, "m=video 9", "m=video 0", 1) + "a=bundle-only\r\n", "audio video", nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parseOffer(c.text)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, s := range o.sections {
				kinds = append(kinds, s.kind.String())
			}
			if got := strings.Join(kinds, " "); got != c.kinds {
				t.Errorf("carries %s, want %s", got, c.kinds)
			}
			if strings.Count(o.sdp, "m=") != len(o.sections) || strings.Contains(o.sdp, "m=application") {
				t.Errorf("pion is given\n%s", o.sdp)
			}
			answer, err := withCandidates(o.sdp, o.refused, nil, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			lines := func(text string) (all []string) {
				for line := range strings.Lines(text) {
					if strings.HasPrefix(line, "m=") {
						all = append(all, strings.Fields(line)[0]+" "+strings.Fields(line)[2])
					}
				}
				return all
			}
			if got, want := lines(answer), lines(c.text); !slices.Equal(got, want) {
				t.Errorf("sections %q, want %q", got, want)
			}
			i := -1
			for line := range strings.Lines(answer) {
				if strings.HasPrefix(line, "m=") {
					i++
					if refused := strings.Fields(line)[1] == "0"; refused != slices.Contains(c.refused, i) && name != "a bundled one" {
						t.Errorf("section %d: %q", i, line)
					}
				}
			}
		})
	}
}

// A section stays what it was, also when another is put before it in the place of one that was refused.
func TestSectionsStayWhatTheyAre(t *testing.T) {
	fine := strings.ReplaceAll(chromeOffer, "\n", "\r\n")
	first, err := parseOffer(fine)
	if err != nil {
		t.Fatal(err)
	}
	video := fine[strings.Index(fine, "m=video"):]
	again, err := parseOffer(strings.Replace(fine, video, strings.Replace(video, "a=mid:1", "a=mid:new", 1)+video, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.read(first.sections); err != nil {
		t.Fatal(err)
	}
	if got := find(again.sections, plane.Video).mid + " " + find(again.sections, plane.Screen).mid; got != "1 new" {
		t.Errorf("camera and screen are %s", got)
	}
	if !continues(first.sections, again.sections) || continues(again.sections, first.sections) {
		t.Error("a section more is no continuation, or one less is")
	}
}

// RFC 6184, table 5: what counts is the profile, not how it is written.
func TestH264Profiles(t *testing.T) {
	for id, want := range map[string]string{
		"42e01f": "constrained-baseline", "42c02a": "constrained-baseline", "42401F": "constrained-baseline", "4d801f": "constrained-baseline", "58f01f": "constrained-baseline",
		"42001f": "baseline", "42a01e": "baseline", "58a01e": "baseline", "": "baseline", "junk": "baseline",
		"4d001f": "main", "4d401f": "main", "58001f": "extended", "64001f": "high", "640c1f": "constrained-high", "6e001f": "high-10", "f4101f": "high-4:4:4-intra", "99aa1f": "99aa",
	} {
		if got := h264Profile(id); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	free, bound := "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=", "packetization-mode=1;profile-level-id="
	for _, c := range [][3]string{
		{free + "42e01f", free + "42c034", free + "42e034"},
		{free + "42e034", free + "42c01f", free + "42e01f"},
		{bound + "42e01f", free + "42c034", bound + "42e01f"},
		{free + "42e034", bound + "42c01f", free + "42e01f"},
		{"packetization-mode=1", free + "42c01f", "packetization-mode=1"},
	} {
		if got := h264Level(c[0], c[1]); got != c[2] {
			t.Errorf("%s with %s is answered %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// Who is answered alone is promised nothing that takes two.
func TestAnsweredAlone(t *testing.T) {
	o, err := parseOffer(strings.ReplaceAll(strings.Replace(chromeOffer, "a=mid:1\n", "a=mid:1\na=extmap:5 urn:3gpp:video-orientation\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n", 1), "\n", "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range o.sections {
		s := intersect(&o.sections[i], nil)
		for _, c := range s.codecs {
			if c.base != "" || slices.Contains(c.feedback, "transport-cc") {
				t.Errorf("%s, %v", c.name, c.feedback)
			}
		}
		if s.exts["urn:3gpp:video-orientation"] != 0 || s.exts[transportURI] != 0 || s.kind == plane.Video && s.exts[midURI] != 4 {
			t.Errorf("extensions %v", s.exts)
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

// A client that sends on its first video line and receives on its second: that is where it is shown a camera.
func TestLinesForEachDirection(t *testing.T) {
	fine := strings.ReplaceAll(chromeOffer, "\n", "\r\n")
	at := strings.Index(fine, "m=video")
	video := fine[at:]
	o, err := parseOffer(fine[:at] + strings.Replace(strings.Replace(video, "a=recvonly", "a=sendonly", 1), "a=mid:1", "a=mid:out", 1) + video)
	if err != nil {
		t.Fatal(err)
	}
	if got := find(o.sections, plane.Video).mid + " " + find(o.sections, plane.Screen).mid; got != "1 out" {
		t.Errorf("camera and screen are %s", got)
	}
}
