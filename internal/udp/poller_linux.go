//go:build !udp_standin

package udp

// This file lets one loop wait for many sockets (epoll).

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"duet/internal/lock"
)

// Poller waits for many sockets. T is what the owner calls a socket by.
type Poller[T any] struct {
	epoll, event int // the latter wakes who waits
	events       []unix.EpollEvent

	mu      lock.RWMutex[lock.Leaf] // guards what follows
	sockets map[int32]polled[T]
	waiting bool // somebody waits, who closes the descriptors
	closed  bool
}

type polled[T any] struct {
	socket *Socket
	name   T
}

// NewPoller waits for nothing yet.
func NewPoller[T any]() (*Poller[T], error) {
	p := &Poller[T]{epoll: -1, event: -1, events: make([]unix.EpollEvent, 128), sockets: map[int32]polled[T]{}}
	var err error
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		p.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err == nil {
		err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, p.event, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.event)})
	}
	if err != nil {
		p.release()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return p, nil
}

func (p *Poller[T]) release() {
	for _, fd := range []int{p.epoll, p.event} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Add waits for a socket, too.
func (p *Poller[T]) Add(s *Socket, name T) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.closed || p.closed {
		return net.ErrClosed
	}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fd)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	p.sockets[int32(s.fd)] = polled[T]{s, name}
	return nil
}

// Remove forgets a socket. It must be called before the socket is closed.
func (p *Poller[T]) Remove(s *Socket) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.closed || p.closed || p.sockets[int32(s.fd)].socket != s {
		return
	}
	delete(p.sockets, int32(s.fd))
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, s.fd, nil) // closing it does the same
}

// All are the names of the sockets.
func (p *Poller[T]) All() []T {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make([]T, 0, len(p.sockets))
	for _, s := range p.sockets {
		all = append(all, s.name)
	}
	return all
}

// Wait waits until sockets have something, and appends their names to ready; what they have is to be received, or they are
// ready again. Only one goroutine may wait. The error is net.ErrClosed after Close.
func (p *Poller[T]) Wait(ready []T) ([]T, error) {
	if !p.waiting { // which nobody else writes
		p.mu.Lock()
		p.waiting = !p.closed
		p.mu.Unlock()
		if !p.waiting {
			return ready, net.ErrClosed
		}
	}
	n, err := unix.EpollWait(p.epoll, p.events, -1)
	if errors.Is(err, unix.EINTR) {
		n, err = 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.waiting = false
		p.release()
		return ready, net.ErrClosed
	}
	for _, e := range p.events[:max(n, 0)] {
		if s, ok := p.sockets[e.Fd]; ok {
			ready = append(ready, s.name)
		}
	}
	return ready, err
}

// Close ends waiting. The sockets stay open.
func (p *Poller[T]) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	if p.waiting {
		unix.Write(p.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	} else {
		p.release()
	}
}

// WaitReadable waits until one of a few sockets has something, at most as long as timeout. Interrupted or not, the caller
// looks. None of them may be closed meanwhile.
func WaitReadable(timeout time.Duration, sockets ...*Socket) {
	fds := make([]unix.PollFd, len(sockets))
	for i, s := range sockets {
		fds[i] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	}
	ts := unix.NsecToTimespec(int64(timeout))
	_, _ = unix.Ppoll(fds, &ts, nil)
}
