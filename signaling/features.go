package signaling

// This file holds the features that a client may ask for when it joins.

type features uint8

const (
	featResume features = 1 << iota
	featCallState
	featPresenceDelta
	featPresenceNone
	featVerdict
)

// featureNames are in the order of the bits.
var featureNames = [...]string{"resume", "call-state", "presence-delta", "presence-none", "verdict"}

// grant picks the known ones.
func grant(asked []string) features {
	var f features
	for _, name := range asked {
		for i, known := range featureNames {
			if name == known {
				f |= 1 << i
			}
		}
	}
	return f
}

func (f features) has(one features) bool { return f&one != 0 }

func (f features) names() []string {
	var names []string
	for i, name := range featureNames {
		if f.has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}
