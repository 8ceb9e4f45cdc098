package relay

// The codecs of an offer: which can be relayed, and which are the same on both legs.

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"duet/relay/plane"
)

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
	alone    bool // works with a peer that has not said that it knows it
	pt       uint8
	mime     string
	clock    uint32
	channels uint16
	fmtp     string
	feedback []string
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
	c := codec{family: family, alone: name != "cn" && name != "telephone-event", pt: uint8(pt), mime: media + parts[0], clock: uint32(clock), fmtp: fmtp}
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
		c.name = fmt.Sprintf("h264 %s %s", or(p["packetization-mode"], "0"), h264Profile(p["profile-level-id"]))
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

// h264Profiles are the profiles by profile_idc and the bits of profile-iop (RFC 6184, table 5): those under mask must be as
// in bits. The first that fits counts. Constrained high, which the table lacks, is what telephones call it.
var h264Profiles = []struct {
	idc, mask, bits byte
	name            string
}{
	{0x42, 0x4f, 0x40, "constrained-baseline"}, {0x4d, 0x8f, 0x80, "constrained-baseline"}, {0x58, 0xcf, 0xc0, "constrained-baseline"},
	{0x42, 0x4f, 0x00, "baseline"}, {0x58, 0xcf, 0x80, "baseline"},
	{0x4d, 0xaf, 0x00, "main"}, {0x58, 0xcf, 0x00, "extended"},
	{0x64, 0xff, 0x0c, "constrained-high"}, {0x64, 0xff, 0x00, "high"},
	{0x6e, 0xff, 0x00, "high-10"}, {0x7a, 0xff, 0x00, "high-4:2:2"}, {0xf4, 0xff, 0x00, "high-4:4:4"},
	{0x6e, 0xff, 0x10, "high-10-intra"}, {0x7a, 0xff, 0x10, "high-4:2:2-intra"}, {0xf4, 0xff, 0x10, "high-4:4:4-intra"},
	{0x2c, 0xff, 0x10, "cavlc-4:4:4-intra"},
}

// h264Profile names the profile of a profile-level-id; one that is missing is baseline (section 8.1).
func h264Profile(id string) string {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 3 {
		return "baseline"
	}
	for _, p := range h264Profiles {
		if b[0] == p.idc && b[1]&p.mask == p.bits {
			return p.name
		}
	}
	return hex.EncodeToString(b[:2])
}

// h264Level gives mine the level of the other end's: what this end sends, that one must decode. Where the two levels may
// not differ, it is the lower one (section 8.2.2).
func h264Level(mine, other string) string {
	a, b := parameters(mine), parameters(other)
	from, errA := hex.DecodeString(a["profile-level-id"])
	to, errB := hex.DecodeString(b["profile-level-id"])
	if errA != nil || errB != nil || len(from) != 3 || len(to) != 3 {
		return mine
	}
	if (a["level-asymmetry-allowed"] != "1" || b["level-asymmetry-allowed"] != "1") && from[2] < to[2] {
		return mine
	}
	from[2] = to[2]
	return profileLevelID.ReplaceAllString(mine, "${1}"+hex.EncodeToString(from))
}

var profileLevelID = regexp.MustCompile(`(?i)(profile-level-id=)[0-9a-f]{6}`)
