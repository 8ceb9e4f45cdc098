package signaling

// This file is Socket.IO by polling, of users who only sit there: one request after the other on one connection, while
// browsers use a second one for what they send. A GET waits for packets, a POST takes those that are to be sent.

import (
	"bytes"
	"fmt"
	"strconv"
)

const separator = 0x1e // between packets

// ask sends the next request: what waits is posted before the next poll.
func (w *world) ask(u *user) {
	method, body := "GET", u.post
	if len(body) > 0 {
		method = "POST"
	}
	u.post = nil
	path := w.to.path
	if u.sid != "" {
		path += "&sid=" + u.sid
	}
	b := fmt.Appendf(w.scratch[:0], "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, w.to.host)
	if len(body) > 0 {
		b = fmt.Appendf(b, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", len(body))
	}
	w.scratch = append(append(b, "\r\n"...), body...)
	u.stream.Write(w.scratch)
}

// sendPacket sends an Engine.IO packet, by whichever transport.
func (w *world) sendPacket(u *user, packet []byte) {
	if !w.o.Polling {
		w.frame = appendFrame(w.frame[:0], opText, packet)
		u.stream.Write(w.frame)
		return
	}
	if len(u.post) > 0 {
		u.post = append(u.post, separator)
	}
	u.post = append(u.post, packet...)
}

// polled takes an answer to a request, when it is whole.
func (w *world) polled(u *user, b []byte, at int64) {
	u.in = append(u.in, b...)
	body, whole, err := response(u.in)
	switch {
	case err != nil:
		w.fail(fmt.Errorf("user %d: %w", u.index, err))
		return
	case !whole:
		return
	}
	u.in = nil
	if string(body) != "ok" {
		for packet := range bytes.SplitSeq(body, []byte{separator}) {
			w.received++
			if text := w.packet(u, packet); text != nil {
				w.text(u, text, at)
			}
		}
	}
	if !u.stream.Closed() {
		w.ask(u)
	}
}

// response reads an HTTP response that says its length.
func response(b []byte) (body []byte, whole bool, err error) {
	head, body, found := bytes.Cut(b, []byte("\r\n\r\n"))
	if !found {
		return nil, false, nil
	}
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	length := -1
	for field := range bytes.SplitSeq(fields, []byte("\r\n")) {
		if name, value, _ := bytes.Cut(field, []byte(": ")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return nil, false, fmt.Errorf("Content-Length: %w", err)
			}
		}
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) || length < 0 {
		return nil, false, fmt.Errorf("the server does not poll here: %s", line)
	}
	return body[:min(length, len(body))], len(body) >= length, nil
}
