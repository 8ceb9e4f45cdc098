package peraddr

// This file is places that are few: when all are taken, one that nobody would miss is given to who comes.

import (
	"container/list"
	"maps"
	"net/netip"
	"slices"
)

// Entry is what became of somebody who wants a place.
type Entry int

// The outcomes.
const (
	Entered  Entry = iota
	FullEach       // its customer has all that it may have
	FullAll        // all places are taken by those that are needed
)

// Places are so many places, of which one customer may have a share. They are guarded by their owner's lock.
type Places[T comparable] struct {
	all, each int
	counter   Counter
	taken     map[T]*place
	spare     list.List // of T: who may give way, the longest there first
}

type place struct {
	from netip.Addr
	at   *list.Element // in spare, or nil
}

// NewPlaces has so many places in all, and for a customer so many (see [Counter.Fits]).
func NewPlaces[T comparable](all, each int) *Places[T] {
	return &Places[T]{all: all, each: each, taken: map[T]*place{}}
}

// Enter takes a place, which may be taken away again until it is Needed. leaver is who lost one for it, if gave is true.
func (p *Places[T]) Enter(t T, from netip.Addr) (how Entry, leaver T, gave bool) {
	if !p.counter.Fits(from, p.each) {
		return FullEach, leaver, false
	}
	if len(p.taken) >= p.all {
		first := p.spare.Front()
		if first == nil {
			return FullAll, leaver, false
		}
		leaver, gave = first.Value.(T), true
		p.Leave(leaver)
	}
	p.counter.Add(from)
	p.taken[t] = &place{from, p.spare.PushBack(t)}
	return Entered, leaver, gave
}

// Needed says whether somebody's place must stay. Who has none is ignored.
func (p *Places[T]) Needed(t T, yes bool) {
	at := p.taken[t]
	switch {
	case at == nil:
	case yes && at.at != nil:
		p.spare.Remove(at.at)
		at.at = nil
	case !yes && at.at == nil:
		at.at = p.spare.PushBack(t)
	}
}

// Leave gives a place back, and says whether there was one.
func (p *Places[T]) Leave(t T) bool {
	at := p.taken[t]
	if at == nil {
		return false
	}
	p.Needed(t, true)
	p.counter.Remove(at.from)
	delete(p.taken, t)
	return true
}

// All are those who have a place.
func (p *Places[T]) All() []T { return slices.Collect(maps.Keys(p.taken)) }

// Len is how many places are taken.
func (p *Places[T]) Len() int { return len(p.taken) }
