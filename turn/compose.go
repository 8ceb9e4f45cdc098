package turn

// This file writes STUN messages.

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // fixed by the protocol
	"encoding/binary"
	"math/rand/v2"
)

// appendHeader begins a message of ours, whose length is yet to be set.
func appendHeader(b []byte, method, class uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, messageType(method, class))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	b = binary.BigEndian.AppendUint64(b, rand.Uint64())
	return binary.BigEndian.AppendUint32(b, rand.Uint32())
}

// verify checks MESSAGE-INTEGRITY; parse has cut the message off behind it and set the length accordingly.
func verify(m *message, key []byte) bool {
	return hmac.Equal(m.raw[m.integrity+4:], sign(m.raw[:m.integrity], key))
}

// sign computes the value of MESSAGE-INTEGRITY over what precedes it.
func sign(b, key []byte) []byte {
	mac := hmac.New(sha1.New, key)
	mac.Write(b)
	return mac.Sum(nil)
}

// appendError builds an error answer to the request with this id; with a key it is signed.
func appendError(b []byte, method uint16, id []byte, code int, reason string, key []byte, attrs ...attribute) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, messageType(method, classError))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	b = append(b, id...)
	b = appendAttribute(b, attrErrorCode, append([]byte{0, 0, byte(code / 100), byte(code % 100)}, reason...))
	for _, a := range attrs {
		b = appendAttribute(b, a.typ, a.value)
	}
	if key == nil {
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-headerSize))
		return b
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-headerSize+24))
	return appendAttribute(b, attrIntegrity, sign(b[start:], key))
}

type attribute struct {
	typ   uint16
	value []byte
}

func appendAttribute(b []byte, typ uint16, v []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	b = append(b, v...)
	for range -len(v) & 3 {
		b = append(b, 0)
	}
	return b
}
