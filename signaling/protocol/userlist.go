package protocol

// This file is userList: everybody who is online.

import "iter"

// UserEntry is a user's {id, username, lookalike?, status}, encoded but for the
// status, as it is sent over and over.
type UserEntry []byte

func NewUserEntry(id, name string, lookalike bool) UserEntry {
	o := Object{'{'}.Str("id", id).Str("username", name)
	if lookalike {
		o = o.Bool("lookalike", true)
	}
	return UserEntry(append(o.Key("status"), '"'))
}

func (e UserEntry) append(b []byte, status string) []byte {
	b = append(b, e...)
	b = append(b, status...)
	return append(b, '"', '}')
}

// UserListMessage is the server's form: users with their status, nil for nobody.
type UserListMessage struct{ Users iter.Seq2[UserEntry, string] }

func (UserListMessage) unnumbered() {}

func (m UserListMessage) Append(b []byte) Object {
	o := append(begin(b, "userList").Key("users"), '[')
	if m.Users != nil {
		first := true
		for e, status := range m.Users {
			if !first {
				o = append(o, ',')
			}
			first = false
			o = e.append(o, status)
		}
	}
	return append(o, ']')
}
