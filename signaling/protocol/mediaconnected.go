package protocol

// This file is mediaConnected: media flows, as one end reports it.

// MediaConnectedRequest is the client's form.
type MediaConnectedRequest struct {
	CallRef
	Path          string // direct, turn or relay
	CandidateType string
	Protocol      string
	SetupMs       float64
	HasSetup      bool
}

func decodeMediaConnected(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	m := MediaConnectedRequest{CallRef: ref}
	if m.Path, r = f.word("path"); r != OK {
		return nil, r
	}
	if !validPath(m.Path) {
		return nil, BadMessage.Because("path must be direct, turn or relay")
	}
	if m.CandidateType, r = f.word("candidateType"); r != OK {
		return nil, r
	}
	if m.Protocol, r = f.word("protocol"); r != OK {
		return nil, r
	}
	m.SetupMs, m.HasSetup, r = f.number("setupMs")
	return m, r
}

func validPath(path string) bool { return path == "direct" || path == "turn" || path == "relay" }
