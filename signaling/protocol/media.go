package protocol

// This file is the three track states, which several messages carry.

// Media is what a party sends: its track states.
type Media struct {
	Audio  bool `json:"audio"` // the tags are those of session tokens
	Video  bool `json:"video"`
	Screen bool `json:"screen"`
	// Why the first two are off though the user wants them on; "" where that is not so, or not said.
	AudioCause string `json:"audioCause,omitempty"`
	VideoCause string `json:"videoCause,omitempty"`
}

// Kinds are the names of the three states, in the order of Media's fields.
var Kinds = [3]string{"audio", "video", "screen"}

func (m *Media) Kind(i int) *bool { return [3]*bool{&m.Audio, &m.Video, &m.Screen}[i] }

// Cause is where the cause of a kind is, nil for a kind that has none.
func (m *Media) Cause(i int) *string { return [3]*string{&m.AudioCause, &m.VideoCause, nil}[i] }

// Fields writes the three states into an object, and what causes are known.
func (m Media) Fields(o Object) Object {
	return o.Bool("audio", m.Audio).Bool("video", m.Video).Bool("screen", m.Screen).Optional("audioCause", m.AudioCause).Optional("videoCause", m.VideoCause)
}

func bothMedia(o Object, self, peer Media) Object {
	o = append(o.Key("media"), `{"self":{`...)
	o = append(self.Fields(o), `},"peer":{`...)
	return append(peer.Fields(o), `}}`...)
}

// MediaChange names the states that a mediaStateChange sets.
type MediaChange struct {
	Named [3]bool // which of Kinds
	To    Media
}

// Single returns the only kind that a change names, or -1.
func (c MediaChange) Single() int {
	found := -1
	for i, named := range c.Named {
		if named {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

func (c MediaChange) Empty() bool { return c.Named == [3]bool{} }

func (c MediaChange) Apply(m *Media) {
	for i, named := range c.Named {
		if named {
			*m.Kind(i) = *c.To.Kind(i)
			if cause := m.Cause(i); cause != nil {
				*cause = *c.To.Cause(i)
			}
		}
	}
}
