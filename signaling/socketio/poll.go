package socketio

// This file is long polling: a GET waits for packets, a POST brings some.

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	pollSize     = 64 << 10               // bytes from which a poll's answer takes no further packet
	upgradePause = 100 * time.Millisecond // for which a poll waits while an upgrade goes on
)

// alone lets a request in, of a kind that a session has one of at a time and up to a state. One that overlaps another
// ends the session.
func (c *Conn) alone(w http.ResponseWriter, busy *bool, until state) bool {
	if !c.app.AllowRequest() {
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return false
	}
	c.mu.Lock()
	overlaps := *busy
	good := !overlaps && c.stream == nil && c.state <= until
	*busy = overlaps || good
	c.mu.Unlock()
	if overlaps {
		c.fail(engineClose)
	}
	if !good {
		badRequest.answer(w)
	}
	return good
}

// poll answers a GET when there is something to say.
func (c *Conn) poll(w http.ResponseWriter, r *http.Request) {
	if !c.alone(w, &c.polling, closing) {
		return
	}
	c.mu.Lock()
	c.heard = time.Now()
	came := c.polled
	c.polled, c.unproved, c.unasked = 0, 0, 0
	c.mu.Unlock()
	if came > 0 {
		c.in.Lock()
		c.app.Acknowledged(came)
		c.in.Unlock()
	}
	if !c.await(r) {
		c.mu.Lock()
		c.polling = false
		still := c.stream == nil // else it was given up for the WebSocket
		c.mu.Unlock()
		if still {
			c.fail(engineClose)
		}
		return
	}
	c.answer(w)
}

// await waits until a poll has an answer. It is false when the client has gone.
func (c *Conn) await(r *http.Request) bool {
	for {
		c.mu.Lock()
		ready := len(c.queue) > 0 || c.state != open || c.stream != nil || c.hurried
		var pause <-chan time.Time
		if c.probe != nil && c.probe.probed {
			pause = time.After(upgradePause)
		}
		c.mu.Unlock()
		if ready {
			return true
		}
		select {
		case <-c.wake:
		case <-pause:
			return true
		case <-r.Context().Done():
			return false
		}
	}
}

// bodies holds room for what posts bring and polls take.
var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

func keep(buf *[]byte, b []byte) {
	if cap(b) <= pollSize {
		*buf = b[:0]
		bodies.Put(buf)
	}
}

// answer takes packets from the queue to the client.
func (c *Conn) answer(w http.ResponseWriter) {
	buf := bodies.Get().(*[]byte)
	body := *buf
	var marks []string
	c.mu.Lock()
	n := 0
	for n < len(c.queue) && (n == 0 || len(body) < pollSize) {
		p := &c.queue[n]
		body = appendPacket(c.v3, body, p)
		c.bytes -= p.Cost
		c.polled = max(c.polled, p.Seq)
		if p.Mark != "" {
			marks = append(marks, p.Mark)
		}
		n++
	}
	if c.queue = c.queue[n:]; len(c.queue) == 0 {
		c.queue = nil
	}
	ends := c.state != open && c.queue == nil
	if ends || n == 0 {
		last := engine(engineNoop, "")
		if ends {
			last = engine(c.last, "")
		}
		body = appendPacket(c.v3, body, &last)
	}
	// The client's next poll may be here before this one's answer has been written to its end.
	c.hurried, c.polling = false, false
	if c.state == closing && !ends {
		c.timer.Reset(lingerTime)
	}
	polls := c.stream == nil
	c.mu.Unlock()

	err := c.write(w, body)
	keep(buf, body)
	if err == nil && marks != nil {
		c.app.Written(marks)
	}
	switch {
	case ends:
		c.finish()
	case err != nil && polls:
		c.fail(engineClose)
	}
}

// write sends the answer to a poll. Its time is its own: the server's may be shorter than the poll has waited.
func (c *Conn) write(w http.ResponseWriter, body []byte) error {
	control := http.NewResponseController(w)
	control.SetWriteDeadline(time.Now().Add(c.server.cfg.WriteTimeout))
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(body); err != nil {
		return err
	}
	return control.Flush()
}

// post handles the packets of a POST.
func (c *Conn) post(w http.ResponseWriter, r *http.Request) {
	if !c.alone(w, &c.posting, open) {
		return
	}
	status := c.read(w, r)

	c.mu.Lock()
	c.posting = false
	c.mu.Unlock()
	if status == http.StatusOK {
		w.Header().Set("Content-Type", "text/html") // as browsers of old want it
		io.WriteString(w, "ok")
		return
	}
	w.Header().Set("Connection", "close")
	http.Error(w, http.StatusText(status), status)
}

// read takes the packets of a POST to the App. A status other than 200 has ended the session.
func (c *Conn) read(w http.ResponseWriter, r *http.Request) (status int) {
	buf := bodies.Get().(*[]byte)
	body, err := readAll(r.Body, *buf, c.server.cfg.MaxPayload+1)
	defer func() { keep(buf, body) }()
	switch {
	case len(body) > c.server.cfg.MaxPayload:
		c.fail(engineClose)
		return http.StatusRequestEntityTooLarge
	case err != nil || r.Header.Get("Content-Type") == "application/octet-stream" || !utf8.Valid(body):
		c.fail(engineClose)
		return http.StatusBadRequest
	}
	c.in.Lock()
	good, left := true, false
	whole := each(c.v3, body, func(packet []byte) bool {
		switch {
		case len(packet) > 0 && packet[0] == 'b':
			good = c.attachment()
		case len(packet) == 1 && packet[0] == engineClose:
			left = true
			return false
		default:
			good = c.take(packet)
		}
		return good
	})
	c.app.Settle()
	c.in.Unlock()
	switch {
	case left:
		c.fail(engineNoop)
	case !good || !whole:
		c.fail(engineClose)
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// readAll reads what there is, but no more than limit.
func readAll(r io.Reader, b []byte, limit int) ([]byte, error) {
	for len(b) < limit {
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
		n, err := r.Read(b[len(b):min(cap(b), limit)])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		} else if err != nil {
			return b, err
		}
	}
	return b, nil
}
