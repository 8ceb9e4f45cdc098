package wsconn

// This file gathers the frames that wait for a client, so that they leave in one system call.

import (
	"sync"
	"time"

	"duet/signaling/protocol"
)

const (
	gatherSize  = 8 << 10
	gatherKeep  = 64 << 10
	directWrite = 16 << 10 // texts from this size are not copied
)

// outgoing is what is on its way to a client. It holds buffers only until they are written.
type outgoing struct {
	*gathered
	frames, bytes int
	rings         []string
	closed        bool // the last frame closes
}

// gathered is bytes: parts in their order, those of short frames next to each other in copies.
type gathered struct {
	parts  [][]byte
	copies []byte
	from   int // of copies that are in no part yet

	around []byte // what stands around the latest text where clients read another form
}

var gathers = sync.Pool{New: func() any { return &gathered{copies: make([]byte, 0, gatherSize)} }}

func (o *outgoing) empty() bool { return o.gathered == nil }

func (o *outgoing) add(f *frame, encode func(b []byte, f *protocol.Frame) (around []byte, cut int, inner []byte)) {
	if o.gathered == nil {
		o.gathered = gathers.Get().(*gathered)
	}
	o.frames++
	o.bytes += f.Size
	if f.Rings != "" {
		o.rings = append(o.rings, f.Rings)
	}
	o.closed = o.closed || f.op == opClose
	var head []byte
	data, tail, op := f.Data, f.Tail, f.op
	if f.Kind != protocol.Ping && op == 0 {
		op = opText
		if encode != nil {
			var cut int
			o.around, cut, data = encode(o.around[:0], &f.Frame)
			head, tail = o.around[:cut], o.around[cut:]
		}
	}
	o.copies = appendHead(o.copies, op, len(head)+len(data)+len(tail))
	o.copies = append(o.copies, head...)
	if len(data) < directWrite {
		o.copies = append(o.copies, data...)
		f.Room.GiveBack()
	} else {
		o.cut()
		o.parts = append(o.parts, data)
	}
	o.copies = append(o.copies, tail...)
}

// cut makes a part of the latest copies.
func (o *outgoing) cut() {
	if o.from < len(o.copies) {
		o.parts = append(o.parts, o.copies[o.from:])
		o.from = len(o.copies)
	}
}

// send writes what it can, or all if it may wait for the client.
func (o *outgoing) send(s *sock, wait bool, timeout time.Duration) (done bool, err error) {
	o.cut()
	return s.write(&o.parts, wait, timeout)
}

// reset gives the buffers back.
func (o *outgoing) reset() {
	if g := o.gathered; cap(g.copies) <= gatherKeep {
		clear(g.parts[:cap(g.parts)])
		g.parts, g.copies, g.from = g.parts[:0], g.copies[:0], 0
		gathers.Put(g)
	}
	*o = outgoing{}
}
