package plane

// What was negotiated on one leg, in the plane's own words.

// Kind is what a stream shows: the track states of mediaStateChange.
type Kind uint8

// The kinds, in the order in which a client offers them.
const (
	Audio Kind = iota
	Video
	Screen
	Kinds
)

func (k Kind) String() string { return [...]string{"audio", "video", "screen", "?"}[min(k, Kinds)] }

// Side is one of a call's two legs.
type Side int

// Other is the leg at the other end.
func (s Side) Other() Side { return 1 - s }

// Codec is one payload type of one stream.
type Codec struct {
	Name   string // equal on both legs for the same codec and parameters; "rtx:" and the name for its retransmissions
	PT     uint8
	Clock  uint32
	Family int // VP8, VP9, H264, AV1, RED, Opaque
}

// Stream is one media section of a leg.
type Stream struct {
	Codecs []Codec
	Exts   map[string]uint8 // header-extension ids by URI, those both ends of the call can use
	Mid    string

	// What the client sends under, as far as its offer says; 0 is unknown.
	Source, SourceRTX uint32
	RecvOnly          bool // the client sends nothing here
	// What we send to it under.
	Out, OutRTX uint32
}

// Leg is one negotiated leg. It is not changed after it was given to a Translator.
type Leg struct {
	ID      uint64 // a new one for each association of keys: numbering starts anew with it
	Streams [Kinds]*Stream
}

const midURI = "urn:ietf:params:rtp-hdrext:sdes:mid"
