package plane

// Where a picture begins that needs no other: the only place at which a paused video may come back.

// Codec families whose key frames are recognised.
const (
	Opaque = iota // audio, or anything unknown
	VP8
	VP9
	H264
	AV1
	RED // redundant audio, RFC 2198: names payload types inside the payload
)

// keyFrame reports whether payload is the first packet of a key frame; known is false for codecs it cannot read.
func keyFrame(codec int, p []byte) (key, known bool) {
	switch codec {
	case VP8:
		return vp8Key(p), true
	case VP9:
		return vp9Key(p), true
	case H264:
		return h264Key(p), true
	case AV1:
		// The N bit of the aggregation header: first packet of a coded video sequence (AV1 RTP, section 4.4).
		return len(p) > 1 && p[0]&0x08 != 0, true
	}
	return false, false
}

// vp8Key reads the payload descriptor of RFC 7741, section 4.2.
func vp8Key(p []byte) bool {
	if len(p) < 2 || p[0]&0x10 == 0 || p[0]&0x07 != 0 { // S: start of a partition; PID 0: the first
		return false
	}
	at := 1
	if p[0]&0x80 != 0 {
		x := p[1]
		at++
		if x&0x80 != 0 { // picture id, 7 or 15 bits
			if at >= len(p) {
				return false
			}
			if p[at]&0x80 != 0 {
				at++
			}
			at++
		}
		if x&0x40 != 0 {
			at++
		}
		if x&0x30 != 0 {
			at++
		}
	}
	return at < len(p) && p[at]&0x01 == 0 // P: 0 is a key frame
}

// vp9Key reads the payload descriptor of RFC 9628, section 4.2.
func vp9Key(p []byte) bool {
	if len(p) < 2 || p[0]&0x40 != 0 || p[0]&0x08 == 0 { // P: refers to others; B: begins a frame
		return false
	}
	if p[0]&0x20 == 0 {
		return true
	}
	at := 1
	if p[0]&0x80 != 0 {
		if p[at]&0x80 != 0 {
			at++
		}
		at++
	}
	return at < len(p) && p[at]>>1&0x07 == 0 // SID: the lowest spatial layer
}

// h264Key looks for a sequence parameter set or an IDR slice (RFC 6184).
func h264Key(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	key := func(nal byte) bool { return nal&0x1f == 5 || nal&0x1f == 7 }
	switch p[0] & 0x1f {
	case 24: // STAP-A
		for at, units := 1, 0; at+2 < len(p) && units < maxElements; units++ {
			if key(p[at+2]) {
				return true
			}
			at += 2 + int(p[at])<<8 + int(p[at+1])
		}
		return false
	case 28: // FU-A: only its first fragment
		return p[1]&0x80 != 0 && key(p[1])
	}
	return key(p[0])
}
