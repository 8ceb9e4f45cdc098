package udp

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// What both kinds of sockets do: the real ones, and with the build tag udp_standin the stand-in.

func TestPoller(t *testing.T) {
	p, err := NewPoller[int]()
	if err != nil {
		t.Fatal(err)
	}
	const n = 5
	var sockets [n]*Socket
	for i := range n {
		sockets[i] = listen(t, "udp4", Options{})
		if err := p.Add(sockets[i], i); err != nil {
			t.Fatal(err)
		}
	}
	if all := p.All(); len(all) != n {
		t.Errorf("waits for %v", all)
	}
	type arrival struct {
		socket int
		text   string
	}
	arrived, ended := make(chan arrival, 100), make(chan error)
	go func() {
		in := NewInbox(8, 1500, 4, 1500)
		for ready := []int(nil); ; {
			var err error
			if ready, err = p.Wait(ready[:0]); err != nil {
				ended <- err
				return
			}
			for _, i := range ready {
				in.Free()
				first, count, _ := sockets[i].Receive(in, 8)
				for k := first; k < first+count; k++ {
					arrived <- arrival{i, string(in.Packet(k))}
				}
			}
		}
	}()
	client, _ := peer(t)
	for round := range 3 {
		for i, s := range sockets {
			want := fmt.Sprint("round ", round, " for ", i)
			client.WriteToUDPAddrPort([]byte(want), at(s))
			select {
			case got := <-arrived:
				if got.socket != i || got.text != want {
					t.Errorf("at %d came %q, want %q at %d", got.socket, got.text, want, i)
				}
			case <-time.After(patience):
				t.Fatalf("%q does not come", want)
			}
		}
	}
	p.Remove(sockets[0])
	if !sockets[0].Close() || sockets[0].Close() {
		t.Error("a socket is closed once")
	}
	if all := p.All(); len(all) != n-1 {
		t.Errorf("waits for %v after one was removed", all)
	}
	p.Close()
	p.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	if err := p.Add(sockets[1], 1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a socket was added to a closed poller: %v", err)
	}
}

func TestPollerThatNeverWaited(t *testing.T) {
	p, err := NewPoller[string]()
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := p.Wait(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("waits: %v", err)
	}
}

func TestWait(t *testing.T) {
	s := listen(t, "udp4", Options{})
	arrived, ended := make(chan string, 100), make(chan error)
	go func() {
		defer s.Leave()
		for in := NewInbox(8, 64, 0, 32); ; {
			n, err := s.Wait(in)
			if err != nil {
				ended <- err
				return
			}
			for i := range n {
				arrived <- string(append(in.Packet(i), '!'))
			}
		}
	}()
	client, _ := peer(t)
	for i := range 10 {
		client.WriteToUDPAddrPort([]byte(fmt.Sprint("packet ", i)), at(s))
		select {
		case got := <-arrived:
			if want := fmt.Sprint("packet ", i, "!"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("packet %d does not come", i)
		}
	}
	if !s.Close() {
		t.Error("it was closed before")
	}
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("who waits is not woken")
	}
	if err := s.SendTo([]byte("late"), client.LocalAddr().(*net.UDPAddr).AddrPort()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed socket sends: %v", err)
	}
}

func TestOutboxOfOne(t *testing.T) {
	s := listen(t, "udp4", Options{})
	lost := 0
	o := NewOutbox(s, 4, true, func(_ error, n int) { lost += n })
	client, to := peer(t)
	sa := s.Sockaddr(to, to.Addr())
	o.Add(&sa, []byte("one"))
	o.AddTo(to, []byte("three"))
	o.Add(new(Sockaddr), []byte("nowhere"))
	if packets, bytes := o.Flush(); packets != 2 || bytes != 8 || lost != 1 {
		t.Errorf("%d packets, %d bytes, %d lost; want 2, 8 and 1", packets, bytes, lost)
	}
	expectAt(t, client, "one")
	expectAt(t, client, "three")
}
