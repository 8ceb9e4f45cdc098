package signaling

// This file follows who is here, as every single client sees it.

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// set is a set of users by their index.
type set []uint64

func (s *set) put(i int, in bool) {
	for i>>6 >= len(*s) {
		*s = append(*s, 0)
	}
	if in {
		(*s)[i>>6] |= 1 << (i & 63)
	} else {
		(*s)[i>>6] &^= 1 << (i & 63)
	}
}

// differ counts the users that are in one of the two only.
func differ(a, b set) int {
	if len(a) < len(b) {
		a, b = b, a
	}
	n := 0
	for i, w := range a {
		if i < len(b) {
			w ^= b[i]
		}
		n += bits.OnesCount64(w)
	}
	return n
}

// news is what a userList or presence message says, decoded once for all who get the same bytes.
type news struct {
	list         bool
	joined, left []int
	all          set // of a list
}

// presence takes the messages about who is here; they are most of the traffic of a large server.
func (w *world) presence(u *user, b []byte) bool {
	head := b[:min(len(b), 64)]
	isList := bytes.Contains(head, []byte(`"type":"userList"`))
	if !isList && !bytes.Contains(head, []byte(`"type":"presence"`)) {
		return false
	}
	w.lists++
	w.listBytes += uint64(len(b))
	key := maphash.Bytes(w.seed, b)
	n, ok := w.decoded[key]
	if !ok {
		n = w.decode(b, isList)
		if len(w.decoded) > 64 {
			clear(w.decoded) // old ones do not come again
		}
		w.decoded[key] = n
	}
	if n.list {
		u.view = append(u.view[:0], n.all...)
	}
	for _, i := range n.joined {
		u.view.put(i, true)
	}
	for _, i := range n.left {
		u.view.put(i, false)
	}
	if w.judging {
		w.judge(u)
	}
	return true
}

// decode reads a message. Lists of thousands of users come by the thousand, so it does not parse: our own users' names
// hold their index and stand in lists and in joined alone; strangers, who are not of this measurement, are left out.
func (w *world) decode(b []byte, list bool) *news {
	n := &news{list: list}
	if _, after, ok := bytes.Cut(b, []byte(`"left":[`)); ok {
		ids, _, _ := bytes.Cut(after, []byte("]"))
		for id := range bytes.SplitSeq(ids, []byte(",")) {
			if i, ok := w.ids[string(bytes.Trim(id, "\" \n"))]; ok {
				n.left = append(n.left, i)
			}
		}
	}
	for prefix := []byte(w.prefix); ; {
		_, after, ok := bytes.Cut(b, prefix)
		if !ok {
			return n
		}
		i, digits := 0, 0
		for ; digits < len(after) && after[digits] >= '0' && after[digits] <= '9'; digits++ {
			i = i*10 + int(after[digits]-'0')
		}
		if b = after; digits == 0 || i >= len(w.users) {
			continue
		}
		if list {
			n.all.put(i, true)
		} else {
			n.joined = append(n.joined, i)
		}
	}
}

// judge notes whether u sees who is really here.
func (w *world) judge(u *user) {
	wrong := differ(u.view, w.present)
	if (wrong > 0) != (u.wrong > 0) {
		if wrong > 0 {
			w.mistaken++
		} else {
			w.mistaken--
		}
	}
	u.wrong = wrong
}

// judgeAll begins to do so, for everyone: from now on the truth does not change.
func (w *world) judgeAll() {
	w.judging = true
	w.mistaken = 0
	for _, u := range w.users {
		u.wrong = 0
		if u.stage == here {
			w.judge(u)
		}
	}
}
