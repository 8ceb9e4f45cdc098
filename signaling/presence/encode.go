package presence

// This file encodes lists and changes.

import (
	"iter"
	"time"

	"duet/signaling/protocol"
)

// list is an encoding of everybody but for its end, so that more can be added at each connection.
type list struct {
	data    []byte // not changed any more
	version uint64
	comings uint64
	at      time.Time
}

const listEnd = "]}"

// encode encodes users; like is an older encoding, by whose size room is made.
func encode(like []byte, users iter.Seq2[protocol.UserEntry, string]) list {
	b := append(protocol.UserListMessage{Users: users}.Append(make([]byte, 0, len(like)+len(like)/16+1024)), '}')
	return list{data: b[: len(b)-len(listEnd) : len(b)-len(listEnd)]}
}

// frame is the list with more users, encoded by AppendUser, at its end.
func (l list) frame(more []byte) protocol.Frame {
	var tail []byte
	if len(more) > 0 {
		tail = make([]byte, 0, 1+len(more)+len(listEnd))
		if l.data[len(l.data)-1] != '[' {
			tail = append(tail, ',')
		}
		tail = append(tail, more...)
	}
	tail = append(tail, listEnd...)
	return protocol.Frame{Kind: protocol.List, Data: l.data, Tail: tail, Size: len(l.data) + len(tail)}
}

// delta encodes folded changes; nothing if there are none.
func (f *folder) delta(changes []change) protocol.Frame {
	m := &f.parts
	m.Joined, m.Left, m.Status = m.Joined[:0], m.Left[:0], m.Status[:0]
	for _, ch := range changes {
		switch {
		case ch.from == ch.to:
		case ch.from == "":
			m.Joined = protocol.AppendUser(m.Joined, ch.e.user, ch.to)
		case ch.to == "":
			m.Left = protocol.AppendLeft(m.Left, ch.e.id)
		default:
			m.Status = protocol.AppendStatus(m.Status, ch.e.id, ch.to)
		}
	}
	size := len(m.Joined) + len(m.Left) + len(m.Status)
	if size == 0 {
		return protocol.Frame{}
	}
	b := append(m.Append(make([]byte, 0, size+80)), '}')
	return protocol.Frame{Data: b, Size: len(b)}
}

// mark says where a folder has a user.
type mark struct {
	stamp uint64
	at    int32
}

// folder makes one change of all those of each user. There are two, under the lock and the teller's, with a mark each.
type folder struct {
	stamp uint64
	out   []change
	parts protocol.PresenceMessage // room to encode in
}

func lockedMark(e *Entry) *mark { return &e.locked }
func tellerMark(e *Entry) *mark { return &e.mark }

// fold is valid until the next fold.
func (f *folder) fold(of func(*Entry) *mark, logs ...[]change) []change {
	f.stamp++
	clear(f.out)
	f.out = f.out[:0]
	for _, log := range logs {
		for _, ch := range log {
			if m := of(ch.e); m.stamp == f.stamp {
				f.out[m.at].to = ch.to
			} else {
				*m = mark{f.stamp, int32(len(f.out))}
				f.out = append(f.out, ch)
			}
		}
	}
	return f.out
}
