package signaling

// This file holds all users and the loop that keeps them going.

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"time"

	"duet/internal/bench"
)

type world struct {
	o       Options
	to      target
	process bench.Process
	streams *bench.Streams
	users   []*user
	rng     *rand.Rand
	prefix  string // of every name; another in every run, since a server may keep names for a while
	err     error

	scratch, frame []byte
	seed           maphash.Seed
	decoded        map[uint64]*news
	ids            map[string]int

	pending  int // joins and resumes under way
	present  set // who is here
	judging  bool
	mistaken int // users who see something else

	received         uint64  // frames
	rssBefore        int64   // the server's memory before anybody came
	idleCPU          float64 // cores of the server while nothing happens
	lists, listBytes uint64
	joined, roamed   bench.Histogram
	calling          calling
}

func newWorld(o Options, to target, process bench.Process) (*world, error) {
	streams, err := bench.NewStreams()
	if err != nil {
		return nil, err
	}
	w := &world{
		o: o, to: to, process: process, streams: streams,
		rng: rand.New(rand.NewPCG(uint64(o.Users), 1)), prefix: fmt.Sprintf("bench-%06x-", rand.N(1<<24)),
		seed: maphash.MakeSeed(), decoded: map[uint64]*news{}, ids: map[string]int{},
	}
	for range o.Users {
		w.add()
	}
	return w, nil
}

// add makes a user who is not here yet. On loopback each has an address of its own, as users have, and no port runs out.
func (w *world) add() *user {
	i := len(w.users)
	u := &user{index: i, name: fmt.Sprintf("%s%d", w.prefix, i)}
	if w.to.loopback {
		u.from = netip.AddrFrom4([4]byte{127, 40 + byte(i>>16), byte(i >> 8), byte(i)})
	}
	w.users = append(w.users, u)
	return u
}

func (w *world) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// loop keeps everybody going until done says so; step is called at least every millisecond.
func (w *world) loop(ctx context.Context, limit time.Duration, what string, step func(now time.Time) (done bool)) error {
	start := time.Now()
	for {
		now := time.Now()
		if step(now) {
			return w.err
		}
		if w.err != nil {
			return w.err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if now.Sub(start) > limit {
			return fmt.Errorf("%s: not done after %s", what, limit)
		}
		if _, err := w.streams.Poll(time.Millisecond, w.on); err != nil {
			return err
		}
	}
}
