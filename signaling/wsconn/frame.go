package wsconn

// This file reads frames as clients send them, and writes the heads of ours (RFC 6455 section 5).

import (
	"encoding/binary"
	"unicode/utf8"

	"duet/signaling/protocol"
)

// Opcodes, section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10

	final = 0x80
)

// Close codes that only this layer uses.
const (
	closeProtocolError = 1002
	closeNoStatus      = 1005
	closeTooBig        = 1009
)

// inbound is a client's frame.
type inbound struct {
	op    byte
	final bool
	data  []byte // unmasked, where it lies
}

// parse takes the frame at the beginning of b, of which room says how long it may be; inside says that it must go on with a
// message, unless it is a control frame. It returns 0 for n if the frame is not whole, and a close code if it can never be
// taken.
func parse(b []byte, room int, inside bool) (f inbound, n int, code uint16) {
	if len(b) < 2 {
		return f, 0, 0
	}
	f.op, f.final = b[0]&0x0f, b[0]&final != 0
	control := f.op >= opClose
	known := f.op <= opBinary || f.op >= opClose && f.op <= opPong
	length, head := uint64(b[1]&0x7f), 2
	// Extensions are never agreed on, and a client masks.
	if !known || b[0]&0x70 != 0 || b[1]&0x80 == 0 || control && (!f.final || length > 125) || !control && inside != (f.op == opContinuation) {
		return f, 0, closeProtocolError
	}
	switch length {
	case 126:
		if head = 4; len(b) < head {
			return f, 0, 0
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return f, 0, 0
		}
		length = binary.BigEndian.Uint64(b[2:])
	}
	if !control && length > uint64(max(room, 0)) {
		return f, 0, closeTooBig
	}
	end := head + 4 + int(length)
	if len(b) < end {
		return f, 0, 0
	}
	f.data = b[head+4 : end : end]
	unmask(f.data, [4]byte(b[head:]))
	return f, end, 0
}

func unmask(b []byte, mask [4]byte) {
	four := uint64(binary.LittleEndian.Uint32(mask[:]))
	eight := four<<32 | four
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])^eight)
	}
	for ; i < len(b); i++ {
		b[i] ^= mask[i&3]
	}
}

// closing reads a close frame's code; good is false where the client must not have sent it (section 7.4).
func closing(data []byte) (code uint16, good bool) {
	if len(data) == 0 {
		return closeNoStatus, true
	}
	if len(data) == 1 || !utf8.Valid(data[2:]) {
		return 0, false
	}
	code = binary.BigEndian.Uint16(data)
	switch {
	case code >= 3000 && code <= 4999, code >= 1007 && code <= 1014, code >= protocol.CloseNormal && code <= protocol.CloseUnsupported:
		return code, true
	}
	return 0, false
}

// appendHead begins a frame of ours.
func appendHead(b []byte, op byte, length int) []byte {
	b = append(b, final|op)
	switch {
	case length < 126:
		return append(b, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(length))
}
