//go:build linux

// The delay box: this kernel has no netem, so a link's packets pass through this process and wait here.

package natlab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A box sits between two devices of a namespace of its own and copies frames both ways, each when it is due.
type box struct {
	ways  [2]way // Up: outer to inner, Down: inner to outer
	files [2]*os.File
	done  sync.WaitGroup
}

type way struct {
	delay, jitter atomic.Int64
}

type frame struct {
	data []byte
	due  time.Time
}

// boxQueue is how many frames wait at most in one direction: 250 ms of 100 Mbit/s.
const boxQueue = 4096

func (b *box) set(d Direction, delay, jitter time.Duration) {
	b.ways[d].delay.Store(int64(delay))
	b.ways[d].jitter.Store(int64(jitter))
}

func (b *box) start(ns namespace) error {
	for i, dev := range []string{"outer", "inner"} {
		err := ns.do(func() (err error) {
			b.files[i], err = rawSocket(dev)
			return err
		})
		if err != nil {
			return err
		}
	}
	b.copy(Up, b.files[0], b.files[1])
	b.copy(Down, b.files[1], b.files[0])
	return nil
}

func (b *box) close() error {
	var errs []error
	for _, f := range b.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	b.done.Wait()
	return errors.Join(errs...)
}

func (b *box) copy(d Direction, from, to *os.File) {
	queue := make(chan frame, boxQueue)
	b.done.Add(2)
	go func() {
		defer b.done.Done()
		defer close(queue)
		buf := make([]byte, 1<<16+64)
		var last time.Time
		for {
			n, err := from.Read(buf)
			if errors.Is(err, unix.ENETDOWN) {
				continue // its carrier went; the socket goes on
			}
			if err != nil {
				return
			}
			due := time.Now().Add(time.Duration(b.ways[d].delay.Load()))
			if j := b.ways[d].jitter.Load(); j > 0 {
				due = due.Add(time.Duration(rand.Int64N(j)))
			}
			if due.Before(last) {
				due = last
			}
			last = due
			select {
			case queue <- frame{append([]byte(nil), buf[:n]...), due}:
			default: // a full queue drops, like every other
			}
		}
	}()
	go func() {
		defer b.done.Done()
		for f := range queue {
			if wait := time.Until(f.due); wait > 0 {
				time.Sleep(wait)
			}
			_, _ = to.Write(f.data) // a device that is down loses it
		}
	}()
}

// rawSocket sends and receives the frames of a device, through the runtime's poller so that Close ends a Read. Frames
// carry the kernel's note about unfinished checksums, without which locally made packets would arrive broken.
func rawSocket(dev string) (*os.File, error) {
	const proto = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a raw socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "raw:"+dev)
	index, err := interfaceIndex(fd, dev)
	if err == nil {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: index}),
		)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("raw socket on %s: %w", dev, err)
	}
	return f, nil
}

func interfaceIndex(fd int, dev string) (int, error) {
	req, err := unix.NewIfreq(dev)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req); err != nil {
		return 0, err
	}
	return int(req.Uint32()), nil
}
