package relay

// What one user or one network may take of the relay, which all have together.

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"duet/internal/lock"
	"duet/internal/peraddr"
)

const (
	// An offer costs as much as a thousand packets; no honest user makes more of them than this, in however many rooms.
	offerRate  = 1 // a second
	offerBurst = 20

	// idleTime is how long nobody may have connected to a room until it can give way to another, when the relay is full.
	idleTime = 5 * time.Second
	// lapseWait is how long a user waits who has let a room lapse while rooms were scarce: half of them and more were taken.
	lapseWait = time.Minute
	// shareTime is how long a user is remembered after its last room.
	shareTime = time.Minute
)

// The errors of take. Their text may be shown.
var (
	errNetworkFull = errors.New("too many calls of your network are relayed")
	errLapsed      = errors.New("the relay was not used when it was asked for last; try again in a minute")
)

// shares belongs to the Server; mu is a leaf.
type shares struct {
	most int // leases

	mu       lock.Mutex[lock.Leaf]
	leases   map[*lease]struct{}
	networks peraddr.Counter
	users    map[string]*userShare
	leaving  []departure // in order of time
}

// lease is a room's place among all rooms.
type lease struct {
	room  *room
	users [2]string
	from  [2]netip.Addr
	idle  time.Time // since when these users have a room, this one or another before it, and no leg in it; zero: they have
}

type userShare struct {
	offers *rate.Limiter
	leases int
	left   time.Time // when it gave the last one back
	idle   time.Time // as in lease
	waits  time.Time // until then
}

type departure struct {
	user string
	at   time.Time
}

func newShares(most int) *shares {
	return &shares{most: most, leases: map[*lease]struct{}{}, users: map[string]*userShare{}}
}

// take gives a room a place. A full relay takes it from another whose users have let it wait the longest; that room is
// returned, to be told so.
func (s *shares) take(users [2]string, from [2]netip.Addr, now time.Time) (l, evicted *lease, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	l = &lease{users: users, from: from, idle: now}
	for i, ip := range from { // a call within a network counts once; loopback is a proxy of ours, and no network
		if ip.Unmap().IsLoopback() || i == 1 && peraddr.Of(ip) == peraddr.Of(from[0]) {
			l.from[i] = netip.Addr{}
		}
	}
	for _, name := range users {
		if u := s.users[name]; u != nil {
			if now.Before(u.waits) {
				return nil, nil, errLapsed
			}
			if !u.idle.IsZero() && u.idle.Before(l.idle) {
				l.idle = u.idle // who closes a room and asks for another does not begin anew
			}
		}
	}
	if err := s.full(l); err != nil {
		if evicted = s.idlest(l, err, now); evicted == nil {
			return nil, nil, err
		}
		s.remove(evicted, true, now)
	}
	s.leases[l] = struct{}{}
	for _, ip := range l.from {
		if ip.IsValid() {
			s.networks.Add(ip)
		}
	}
	for _, name := range users {
		if name != "" {
			u := s.user(name)
			u.leases++
			u.idle = l.idle
		}
	}
	return l, evicted, nil
}

// full says why there is no place, or nil. One network may have three quarters of all.
func (s *shares) full(l *lease) error {
	for _, ip := range l.from {
		if ip.IsValid() && !s.networks.Fits(ip, max(1, s.most*3/4)) {
			return errNetworkFull
		}
	}
	if len(s.leases) >= s.most {
		return ErrFull
	}
	return nil
}

// idlest is the lease that gives way to a new one; in a full network one of its own.
func (s *shares) idlest(l *lease, full error, now time.Time) (idlest *lease) {
	for other := range s.leases {
		if other.idle.IsZero() || now.Sub(other.idle) < idleTime || idlest != nil && !other.idle.Before(idlest.idle) {
			continue
		}
		if full == ErrFull || other.shares(l) {
			idlest = other
		}
	}
	return idlest
}

// shares says whether two leases have a network in common.
func (l *lease) shares(other *lease) bool {
	for _, a := range l.from {
		for _, b := range other.from {
			if a.IsValid() && b.IsValid() && peraddr.Of(a) == peraddr.Of(b) {
				return true
			}
		}
	}
	return false
}

// connected is told when a leg of the room connects.
func (s *shares) connected(l *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.idle = time.Time{}
	for _, name := range l.users {
		if u := s.users[name]; u != nil {
			u.idle = time.Time{}
		}
	}
}

// giveBack ends a lease; lapsed says that the room failed.
func (s *shares) giveBack(l *lease, lapsed bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(l, lapsed, now)
}

func (s *shares) remove(l *lease, lapsed bool, now time.Time) {
	if _, ok := s.leases[l]; !ok {
		return
	}
	scarce := 2*len(s.leases) >= s.most
	delete(s.leases, l)
	for _, ip := range l.from {
		if ip.IsValid() {
			s.networks.Remove(ip)
		}
	}
	for _, name := range l.users {
		u := s.users[name]
		if u == nil {
			continue
		}
		if lapsed && scarce && !l.idle.IsZero() {
			u.waits = now.Add(lapseWait)
		}
		u.leases--
		u.left = now
		s.leaving = append(s.leaving, departure{name, now})
	}
}

// mayOffer says whether a user may make one more offer.
func (s *shares) mayOffer(user string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user(user).offers.AllowN(now, 1)
}

func (s *shares) user(name string) *userShare {
	u := s.users[name]
	if u == nil {
		u = &userShare{offers: rate.NewLimiter(offerRate, offerBurst)}
		s.users[name] = u
	}
	return u
}

// forget drops the users who left long ago.
func (s *shares) forget(now time.Time) {
	for len(s.leaving) > 0 && now.Sub(s.leaving[0].at) >= shareTime {
		name := s.leaving[0].user
		if u := s.users[name]; u != nil && u.leases == 0 && now.Sub(u.left) >= shareTime {
			delete(s.users, name)
		}
		s.leaving = s.leaving[1:]
	}
}
