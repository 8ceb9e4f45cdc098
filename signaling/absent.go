package signaling

// This file bounds the sessions that wait for their client: they have no
// connection that would count.

import (
	"container/list"
	"net/netip"

	"duet/internal/peraddr"
)

// keptInAll bounds what is kept for all clients together, in bytes.
const keptInAll = 256 << 20

// absent is the sessions without a connection, those that wait longest first.
// One address may have as many of them as connections. Guarded by Hub.mu.
type absent struct {
	counts peraddr.Counter
	from   map[peraddr.Key]*list.List // of *session
	all    list.List                  // of *session
	kept   int                        // bytes in all outboxes, those of sessions with a connection included
	most   int                        // of these
}

// place is where an absent session is in the lists.
type place struct {
	ip        netip.Addr // of its last connection; invalid after a restart
	from, all *list.Element
}

// leave notes that s has no connection any more. Where there are too many such
// from its address, or in all, that which has waited longest ends.
func (st *step) leave(s *session) {
	if s.place != nil {
		return
	}
	a, ip := &st.absent, s.lastIP
	key := peraddr.Of(ip)
	for ip.IsValid() && !a.counts.Fits(ip, st.limits.PerAddress(ip)) {
		if a.from[key] == nil { // its neighbours have what is meant for all of them
			st.end(s, 0, "")
			return
		}
		st.end(a.from[key].Front().Value.(*session), 0, "")
	}
	if a.all.Len() >= st.cfg.MaxConnections {
		st.end(a.all.Front().Value.(*session), 0, "")
	}
	if s.ended {
		return
	}
	s.place = &place{ip: ip, all: a.all.PushBack(s)}
	if ip.IsValid() {
		a.counts.Add(ip)
		if a.from[key] == nil {
			a.from[key] = list.New()
		}
		s.place.from = a.from[key].PushBack(s)
	}
}

// back notes that s has a connection again, or has ended.
func (a *absent) back(s *session) {
	p := s.place
	if p == nil {
		return
	}
	s.place = nil
	a.all.Remove(p.all)
	if p.from != nil {
		key := peraddr.Of(p.ip)
		a.counts.Remove(p.ip)
		if a.from[key].Remove(p.from); a.from[key].Len() == 0 {
			delete(a.from, key)
		}
	}
}

// keep counts what is kept for clients. When that is too much, those end who have
// been away longest.
func (st *step) keep(bytes int) {
	a := &st.absent
	a.kept += bytes
	for a.kept > a.most && a.all.Len() > 0 {
		st.end(a.all.Front().Value.(*session), 0, "")
	}
}
