package signaling

// This file reads what clients report of their media.

func validPath(path string) bool { return path == "direct" || path == "turn" || path == "relay" }

func (f fields) mediaConnected(a about) (any, refusal) {
	m := mediaConnectedRequest{about: a}
	var r refusal
	if m.Path, r = f.word("path"); r != ok {
		return nil, r
	}
	if !validPath(m.Path) {
		return nil, refBadMessage.because("path must be direct, turn or relay")
	}
	if m.CandidateType, r = f.word("candidateType"); r != ok {
		return nil, r
	}
	if m.Protocol, r = f.word("protocol"); r != ok {
		return nil, r
	}
	m.SetupMs, m.HasSetup, r = f.number("setupMs")
	return m, r
}

func (f fields) callStats(a about) (any, refusal) {
	m := callStatsRequest{about: a}
	var r refusal
	if m.Path, r = f.word("path"); r != ok {
		return nil, r
	}
	if m.Path != "" && !validPath(m.Path) {
		return nil, refBadMessage.because("path must be direct, turn or relay")
	}
	for key, to := range map[string]*float64{"rttMs": &m.RTTMs, "lossPct": &m.LossPct, "jitterMs": &m.JitterMs, "bitrateKbps": &m.BitrateKbps} {
		if *to, _, r = f.number(key); r != ok {
			return nil, r
		}
	}
	return m, ok
}
