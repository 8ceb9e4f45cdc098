package protocol

// This file is callStats: how media flows, as one end reports it.

// CallStatsRequest is the client's form; what it did not say is 0.
type CallStatsRequest struct {
	CallRef
	Path                                  string // direct, turn, relay or ""
	RTTMs, LossPct, JitterMs, BitrateKbps float64
}

func decodeCallStats(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	m := CallStatsRequest{CallRef: ref}
	if m.Path, r = f.word("path"); r != OK {
		return nil, r
	}
	if m.Path != "" && !validPath(m.Path) {
		return nil, BadMessage.Because("path must be direct, turn or relay")
	}
	for _, field := range [...]struct {
		key string
		to  *float64
	}{{"rttMs", &m.RTTMs}, {"lossPct", &m.LossPct}, {"jitterMs", &m.JitterMs}, {"bitrateKbps", &m.BitrateKbps}} {
		if *field.to, _, r = f.number(field.key); r != OK {
			return nil, r
		}
	}
	return m, OK
}
