package turn

// This file names the reasons for which a packet goes nowhere.

// drop is such a reason.
type drop uint8

const (
	passed drop = iota // it does go somewhere

	// what parse refuses
	dropShort
	dropNotSTUN
	dropLength
	dropClass
	dropMethod
	dropAttribute
	dropDuplicate
	dropCount
	dropFingerprint

	// what the gate does not answer
	dropBudget
	dropNoAllocation
	dropNoPermission
	dropUnknownChannel

	// what streams do not take
	dropFrame
	dropFull
	dropAccept
	dropLate

	// what is not relayed
	dropForbidden
	dropOversize
	dropQueueFull
	dropOverQuota
	dropUnreachable
	drops
)

// String is the label of the metric that counts them.
func (d drop) String() string {
	return [...]string{
		"none", "short", "not stun", "length", "class", "method", "attribute", "duplicate attribute", "too many attributes", "fingerprint",
		"budget", "no allocation", "no permission", "unknown channel",
		"not a STUN or TURN frame", "too many connections", "accept", "late",
		"forbidden peer", "oversize", "queue full", "quota", "unreachable", "?",
	}[min(d, drops)]
}
