package plane

import (
	"testing"
)

func TestKeyFrames(t *testing.T) {
	for name, c := range map[string]struct {
		codec   int
		payload []byte
		key     bool
	}{
		"VP8 key":                          {VP8, []byte{0x10, 0x00}, true},
		"VP8 key with a long picture id":   {VP8, []byte{0x90, 0xe0, 0x81, 0x02, 0x03, 0x04, 0x00}, true},
		"VP8 delta with a long picture id": {VP8, []byte{0x90, 0xe0, 0x81, 0x02, 0x03, 0x04, 0x01}, false},
		"VP8 second packet":                {VP8, []byte{0x00, 0x00}, false},
		"VP8 cut off":                      {VP8, []byte{0x90, 0x80}, false},
		"VP9 key":                          {VP9, []byte{0x08, 0x00}, true},
		"VP9 delta":                        {VP9, []byte{0x48, 0x00}, false},
		"VP9 not the beginning":            {VP9, []byte{0x00, 0x00}, false},
		"VP9 upper layer":                  {VP9, []byte{0xa8, 0x01, 0x02}, false},
		"VP9 lowest layer":                 {VP9, []byte{0xa8, 0x01, 0x00}, true},
		"H.264 IDR":                        {H264, []byte{0x65, 0}, true},
		"H.264 SPS":                        {H264, []byte{0x67, 0}, true},
		"H.264 slice":                      {H264, []byte{0x61, 0}, false},
		"H.264 STAP-A with SPS":            {H264, []byte{0x78, 0, 1, 0x09, 0, 1, 0x67}, true},
		"H.264 STAP-A without":             {H264, []byte{0x78, 0, 1, 0x09, 0, 9, 0x61}, false},
		"H.264 first fragment of IDR":      {H264, []byte{0x7c, 0x85}, true},
		"H.264 later fragment of IDR":      {H264, []byte{0x7c, 0x05}, false},
		"AV1 new sequence":                 {AV1, []byte{0x18, 0x0a}, true},
		"AV1 other":                        {AV1, []byte{0x10, 0x0a}, false},
		"empty":                            {H264, nil, false},
	} {
		if key, known := keyFrame(c.codec, c.payload); key != c.key || !known {
			t.Errorf("%s: %v, %v", name, key, known)
		}
	}
}
