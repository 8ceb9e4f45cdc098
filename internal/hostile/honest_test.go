package hostile

// This file is the honest users: calls whose packets and messages are counted, others who are only here, and newcomers.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// kind is a way that an honest user's packets or messages take.
type kind int

const (
	signaling kind = iota
	turn
	relay
	kinds
)

func (k kind) String() string { return [...]string{"signaling", "TURN", "relay"}[k] }

// flow is one direction of one kind of one call.
type flow struct {
	kind      kind
	every     time.Duration
	send      func(n uint64) error
	sent, got atomic.Uint64
	to        *samples
}

func (f *flow) heard(took time.Duration) {
	f.got.Add(1)
	f.to.add(took)
}

// samples are latencies.
type samples struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *samples) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

// take is the 99th percentile of what has come since it was taken last.
func (s *samples) take() (p99 time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) > 0 {
		slices.Sort(s.all)
		p99 = s.all[len(s.all)*99/100]
	}
	s.all = s.all[:0]
	return p99
}

// world is all honest users.
type world struct {
	t        *testing.T
	s        *server
	mu       sync.Mutex
	flows    []*flow // guarded by mu until all calls are up
	took     [kinds]samples
	lost     atomic.Int64 // connections of theirs that have ended
	over     atomic.Bool
	visitors int
}

// honest are addresses of honest users, no two alike; hostile is the one of whoever attacks. UDP comes from the loopback
// address, TCP says that it comes from the other.
func honest(i int) (udp, tcp string) {
	return fmt.Sprintf("127.1.%d.%d", i/250, 1+i%250), fmt.Sprintf("198.51.%d.%d", i/250, 1+i%250)
}

const hostileUDP, hostileTCP = "127.66.6.6", "192.0.2.66"

// newWorld brings so many calls up, half of them through TURN and half through the relay, and other users.
func newWorld(t *testing.T, s *server, calls, users int) *world {
	t.Helper()
	w := &world{t: t, s: s}
	// Some at a time: each takes a while, in which it does nothing.
	var all sync.WaitGroup
	turns := make(chan struct{}, 8)
	each := func(n int, add func(i int) error) {
		for i := range n {
			turns <- struct{}{}
			all.Go(func() {
				if err := add(i); err != nil {
					t.Errorf("honest user %d: %v", i, err)
				}
				<-turns
			})
		}
		all.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	each(calls, w.addCall)
	each(users, func(i int) error {
		_, ip := honest(1000 + i)
		c, _, err := s.join(ip, fmt.Sprint("user-", i), "presence-delta")
		if err == nil {
			w.keep(c, func([]byte) {})
		}
		return err
	})
	t.Cleanup(func() { w.over.Store(true) }) // before the connections are closed
	return w
}

// keep reads a connection until the end of the test, which is the only time when it may end.
func (w *world) keep(c *wire, each func([]byte)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.read(each); !w.over.Load() {
			w.lost.Add(1)
			w.t.Logf("an honest user's connection has ended: %v", err)
		}
	}()
	w.t.Cleanup(func() {
		c.ws.Close()
		<-done
	})
}

func (w *world) flow(k kind, every time.Duration, send func(n uint64) error) *flow {
	f := &flow{kind: k, every: every, send: send, to: &w.took[k]}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flows = append(w.flows, f)
	return f
}

func (w *world) addCall(i int) error {
	udpA, tcpA := honest(2 * i)
	udpB, tcpB := honest(2*i + 1)
	c, err := w.s.call(tcpA, tcpB, fmt.Sprint("call-", i))
	if err == nil {
		if i%2 == 0 {
			err = w.addTURN(c, udpA, udpB)
		} else {
			err = w.addRelay(c)
		}
	}
	if err != nil {
		return err
	}
	for _, ends := range [][2]*wire{{c.a, c.b}, {c.b, c.a}} {
		f := w.flow(signaling, 100*time.Millisecond, func(n uint64) error {
			text := fmt.Sprintf("candidate:%d 1 udp 1 here.local 9 typ host", time.Now().UnixNano())
			return ends[0].send(object{"type": "iceCandidate", "candidate": object{"candidate": text}})
		})
		w.keep(ends[1], func(b []byte) {
			var m typed
			if err := json.Unmarshal(b, &m); err != nil {
				w.t.Errorf("no JSON: %v", err)
			}
			if m.Type == "iceCandidate" {
				stamp, _, _ := strings.Cut(strings.TrimPrefix(m.Candidate.Candidate, "candidate:"), " ")
				at, err := strconv.ParseInt(stamp, 10, 64)
				if err != nil {
					w.t.Errorf("candidate %q came", m.Candidate.Candidate)
				}
				f.heard(time.Since(time.Unix(0, at)))
			}
		})
	}
	return nil
}

const packetEvery = 20 * time.Millisecond

func (w *world) addTURN(c *couple, ipA, ipB string) error {
	a, err := w.s.allocate(ipA, c.userA, c.passA)
	if err != nil {
		return err
	}
	w.t.Cleanup(a.close)
	b, err := w.s.allocate(ipB, c.userB, c.passB)
	if err != nil {
		return err
	}
	w.t.Cleanup(b.close)
	for _, ends := range [][2]*turnClient{{a, b}, {b, a}} {
		f := w.flow(turn, packetEvery, func(n uint64) error {
			_, err := ends[0].relay.WriteTo(stamped(make([]byte, 900), n), ends[1].relay.LocalAddr())
			return err
		})
		go func() {
			buf := make([]byte, 2000)
			for {
				n, _, err := ends[1].relay.ReadFrom(buf)
				if err != nil {
					return
				}
				if n == 900 {
					_, took := readStamp(buf)
					f.heard(took)
				}
			}
		}()
	}
	// Each opens its side by a packet of another size; until both have, nothing comes.
	for range 2 {
		for _, ends := range [][2]*turnClient{{a, b}, {b, a}} {
			if _, err := ends[0].relay.WriteTo([]byte("open"), ends[1].relay.LocalAddr()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) addRelay(c *couple) error {
	flows := [2]*flow{w.flow(relay, packetEvery, nil), w.flow(relay, packetEvery, nil)}
	first := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	var opened [2]sync.Once
	heard := func(side int) func(*rtp.Packet) {
		return func(p *rtp.Packet) {
			if len(p.Payload) == 900 {
				_, took := readStamp(p.Payload[len(deltaFrame):])
				flows[side].heard(took)
			}
			opened[side].Do(func() { close(first[side]) })
		}
	}
	a, b, err := c.throughRelay(heard(1), heard(0))
	if err != nil {
		return err
	}
	w.t.Cleanup(a.close)
	w.t.Cleanup(b.close)
	for side, l := range []*leg{a, b} {
		flows[side].send = func(n uint64) error {
			p := make([]byte, 900)
			copy(p, deltaFrame)
			stamped(p[len(deltaFrame):], n)
			return l.send(p)
		}
		tick := time.NewTicker(packetEvery)
		defer tick.Stop()
		for deadline, open := time.Now().Add(patience), false; !open; {
			if err := l.send([]byte(keyFrame)); err != nil {
				return err
			}
			select {
			case <-first[side]:
				open = true
			case <-tick.C:
				if time.Now().After(deadline) {
					return errors.New("no media comes through the relay")
				}
			}
		}
	}
	return nil
}

// outcome is what honest users have met in a window.
type outcome struct {
	sent, lost [kinds]int
	p99        [kinds]time.Duration
	ended      int // connections
	refused    []string
	newcomers  int
}

// window lets everybody send for so long, while newcomers come, and counts what has come when all are quiet again.
func (w *world) window(length time.Duration) (o outcome) {
	var before [kinds]int
	for _, f := range w.flows {
		before[f.kind] += int(f.sent.Load() - f.got.Load())
		o.sent[f.kind] -= int(f.sent.Load())
	}
	for k := range kinds {
		w.took[k].take()
	}
	ended := w.lost.Load()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i, f := range w.flows {
		all.Go(func() {
			// Each at its own moment of the interval.
			phase := time.NewTimer(f.every * time.Duration(i) / time.Duration(len(w.flows)))
			defer phase.Stop()
			<-phase.C
			tick := time.NewTicker(f.every)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				if err := f.send(f.sent.Add(1)); err != nil && !errors.Is(err, net.ErrClosed) {
					w.t.Errorf("%s: %v", f.kind, err)
					return
				}
			}
		})
	}
	for end := time.Now().Add(length); time.Now().Before(end); {
		began := time.Now()
		if err := w.newcomer(); err != nil {
			o.refused = append(o.refused, err.Error())
		}
		o.newcomers++
		time.Sleep(time.Until(began.Add(min(200*time.Millisecond, time.Until(end)-time.Millisecond)))) // the length of the window
	}
	close(stop)
	all.Wait()
	missing := func() (n [kinds]int) {
		for _, f := range w.flows {
			n[f.kind] += int(f.sent.Load() - f.got.Load())
		}
		for k := range n {
			n[k] -= before[k]
		}
		return n
	}
	for end := time.Now().Add(20 * time.Second); missing() != [kinds]int{} && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond) // what is under way arrives, or is lost
	}
	o.lost = missing()
	for _, f := range w.flows {
		o.sent[f.kind] += int(f.sent.Load())
	}
	for k := range kinds {
		o.p99[k] = w.took[k].take()
	}
	o.ended = int(w.lost.Load() - ended)
	return o
}

// newcomer is somebody who comes, calls somebody else who has just come, and gets what a call may need: TURN and the relay.
func (w *world) newcomer() error {
	w.visitors++
	udp, tcp := honest(20_000 + w.visitors%10_000)
	_, other := honest(40_000 + w.visitors%10_000)
	c, err := w.s.call(tcp, other, fmt.Sprint("new-", w.visitors))
	if err != nil {
		return fmt.Errorf("a newcomer's call: %w", err)
	}
	defer c.close()
	a, err := w.s.allocate(udp, c.userA, c.passA)
	if err != nil {
		return fmt.Errorf("a newcomer's allocation: %w", err)
	}
	a.close()
	if err := c.relay(); err != nil {
		return fmt.Errorf("a newcomer's relay: %w", err)
	}
	return nil
}
