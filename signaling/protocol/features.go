package protocol

// This file holds the features that a client may ask for when it joins.

// Features are a set of them.
type Features uint8

const (
	FeatureResume Features = 1 << iota
	FeatureCallState
	FeaturePresenceDelta
	FeaturePresenceNone
	FeatureVerdict
	FeatureRings
)

// featureNames are in the order of the bits.
var featureNames = [...]string{"resume", "call-state", "presence-delta", "presence-none", "verdict", "rings"}

// Grant picks the known ones.
func Grant(asked []string) Features {
	var f Features
	for _, name := range asked {
		for i, known := range featureNames {
			if name == known {
				f |= 1 << i
			}
		}
	}
	return f
}

func (f Features) Has(one Features) bool { return f&one != 0 }

func (f Features) Names() []string {
	var names []string
	for i, name := range featureNames {
		if f.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}
