package call

// This file is the machine: it takes events to the rules, and their effects back.

import (
	"time"

	"duet/internal/lookalike"
	"duet/signaling/protocol"
)

// Machine is all users and their calls. It has no clock, no lock and no wires:
// [Machine.Step] takes an event and the time and returns what is to be done.
type Machine struct {
	relayMode string // "off", "fallback", "prefer" or "always"
	newCallID func() string
	limits    Limits

	users map[string]*User // by id
	names map[string]*User // by folded name
	looks map[string]int   // how many have this skeleton
	calls map[string]*Call

	echo    *User // nil: there is none
	echoing int   // its calls

	now     time.Time // of the step
	effects []Effect
}

// Limits bound what one user may cause at another: the sender pays.
type Limits interface {
	// MayRing reports whether a user may be rung now, and counts it.
	MayRing(u *User) bool
	// MayDeliver reports whether a user keeps up with what others send it.
	MayDeliver(u *User) bool
}

// New returns a machine without users. relayMode is "off", "fallback", "prefer"
// or "always".
func New(relayMode string, newCallID func() string, limits Limits) *Machine {
	return &Machine{
		relayMode: relayMode,
		newCallID: newCallID,
		limits:    limits,
		users:     map[string]*User{},
		names:     map[string]*User{},
		looks:     map[string]int{},
		calls:     map[string]*Call{},
	}
}

// Add brings a user in; the name must be free.
func (m *Machine) Add(u *User) {
	m.users[u.ID] = u
	m.names[u.Key] = u
	u.looks = lookalike.Skeleton(u.Name)
	m.looks[u.looks]++
}

// LooksLikeAnother reports whether a user's name can be taken for that of another who is here.
func (m *Machine) LooksLikeAnother(u *User) bool { return m.looks[u.looks] > 1 }

// LooksTaken reports whether a new name could be taken for that of somebody who is here.
func (m *Machine) LooksTaken(name string) bool { return m.looks[lookalike.Skeleton(name)] > 0 }

// Named is who holds a name, given folded; nil: nobody.
func (m *Machine) Named(key string) *User { return m.names[key] }

// Calls is how many calls there are, those that ring included.
func (m *Machine) Calls() int { return len(m.calls) }

// Step applies one event. The effects are valid until the next step.
func (m *Machine) Step(now time.Time, e Event) []Effect {
	m.now, m.effects = now, m.effects[:0]
	e.step(m)
	return m.effects
}

// find looks a target up: ids win.
func (m *Machine) find(target string) *User {
	if u := m.users[target]; u != nil {
		return u
	}
	return m.names[protocol.TargetKey(target)]
}

// relayOnly reports whether every call is relayed, so that nobody learns another's address, not even from a client that
// does not keep to the protocol.
func (m *Machine) relayOnly() bool { return m.relayMode == "always" }

func (m *Machine) do(e Effect)                          { m.effects = append(m.effects, e) }
func (m *Machine) tell(u *User, msg protocol.Message)   { m.do(Deliver{u, msg}) }
func (m *Machine) refuse(u *User, why protocol.Refusal) { m.do(Refuse{u, why}) }
func (m *Machine) bothChanged(c *Call)                  { m.do(Changed{c.Party[0]}); m.do(Changed{c.Party[1]}) }
func (m *Machine) tellBoth(c *Call, msg protocol.Message) {
	m.tell(c.Party[0], msg)
	m.tell(c.Party[1], msg)
}
