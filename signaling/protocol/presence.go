package protocol

// This file is presence: what has changed in the list of users.

// PresenceMessage is the server's form. Its lists are encoded already: elements
// with commas between them.
type PresenceMessage struct {
	Joined []byte // by AppendUser
	Left   []byte // by AppendLeft
	Status []byte // by AppendStatus
}

func (PresenceMessage) unnumbered() {}

func (m PresenceMessage) Append(b []byte) Object {
	o := begin(b, "presence")
	o = append(append(append(o.Key("joined"), '['), m.Joined...), ']')
	o = append(append(append(o.Key("left"), '['), m.Left...), ']')
	return append(append(append(o.Key("status"), '['), m.Status...), ']')
}

// AppendLeft adds a user who is gone to a list of those.
func AppendLeft(list []byte, id string) []byte { return appendQuoted(comma(list), id) }

// AppendStatus adds a user's new status to a list of those.
func AppendStatus(list []byte, id, status string) []byte {
	o := Object(append(comma(list), '{')).Str("id", id).Str("status", status)
	return append(o, '}')
}

// AppendUser adds a user who has come to a list of those.
func AppendUser(list []byte, e UserEntry, status string) []byte { return e.append(comma(list), status) }

func comma(list []byte) []byte {
	if len(list) > 0 {
		list = append(list, ',')
	}
	return list
}
