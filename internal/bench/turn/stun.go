package turn

// This file speaks STUN and TURN (RFC 8489, RFC 8656) as far as a client must. It is small on purpose: the
// clients of a measurement share one thread, and a library's client would cost more than the server under test.

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // fixed by the protocol
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

const (
	cookie     = 0x2112a442
	headerSize = 20

	allocateRequest         = 0x0003
	refreshRequest          = 0x0004
	createPermissionRequest = 0x0008
	channelBindRequest      = 0x0009
	sendIndication          = 0x0016
	dataIndication          = 0x0017
	successBit              = 0x0100
	errorBits               = 0x0110

	attrUsername      = 0x0006
	attrIntegrity     = 0x0008
	attrErrorCode     = 0x0009
	attrChannelNumber = 0x000c
	attrLifetime      = 0x000d
	attrPeer          = 0x0012
	attrData          = 0x0013
	attrRealm         = 0x0014
	attrNonce         = 0x0015
	attrRelayed       = 0x0016
	attrTransport     = 0x0019
	attrSoftware      = 0x8022
)

// transaction is the id of a request.
type transaction [12]byte

// credential is a name and its password.
type credential struct{ user, pass string }

// restCredential derives a TURN REST credential that lives for an hour.
func restCredential(secret, id string) credential {
	user := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10) + ":" + id
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(user))
	return credential{user, base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

// key is the long-term key of the credential.
func (c credential) key(realm string) []byte {
	sum := md5.Sum([]byte(c.user + ":" + realm + ":" + c.pass)) //nolint:gosec // fixed by the protocol
	return sum[:]
}

func appendAttr(b []byte, typ uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func appendAddr(b []byte, typ uint16, a netip.AddrPort, id transaction) []byte {
	raw := a.Addr().AsSlice()
	family := byte(1)
	if len(raw) == 16 {
		family = 2
	}
	v := []byte{0, family}
	v = binary.BigEndian.AppendUint16(v, a.Port()^cookie>>16)
	return appendAttr(b, typ, append(v, xored(raw, id)...))
}

func xored(raw []byte, id transaction) []byte {
	mask := append(binary.BigEndian.AppendUint32(nil, cookie), id[:]...)
	out := make([]byte, len(raw))
	for i := range raw {
		out[i] = raw[i] ^ mask[i]
	}
	return out
}

// request begins a message.
func request(typ uint16, id transaction) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 256), typ)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, cookie)
	return append(b, id[:]...)
}

// finish sets the length of b.
func finish(b []byte) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	return b
}

// sign adds name, realm, nonce and MESSAGE-INTEGRITY.
func sign(b []byte, user, realm, nonce string, key []byte) []byte {
	b = appendAttr(b, attrUsername, []byte(user))
	b = appendAttr(b, attrRealm, []byte(realm))
	b = appendAttr(b, attrNonce, []byte(nonce))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+24))
	mac := hmac.New(sha1.New, key)
	mac.Write(b)
	return finish(appendAttr(b, attrIntegrity, mac.Sum(nil)))
}

// response is what an answer says.
type response struct {
	typ          uint16
	id           transaction
	code         int // of an error
	realm, nonce string
	relayed      netip.AddrPort
	software     string
}

var errNotSTUN = errors.New("no STUN message")

// parseResponse reads an answer.
func parseResponse(b []byte) (response, error) {
	var r response
	if len(b) < headerSize || binary.BigEndian.Uint32(b[4:]) != cookie || int(binary.BigEndian.Uint16(b[2:])) != len(b)-headerSize {
		return r, errNotSTUN
	}
	r.typ = binary.BigEndian.Uint16(b)
	r.id = transaction(b[8:20])
	for rest := b[headerSize:]; len(rest) >= 4; {
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if 4+n > len(rest) {
			return r, fmt.Errorf("attribute %#x: %w", binary.BigEndian.Uint16(rest), errNotSTUN)
		}
		v := rest[4 : 4+n]
		switch binary.BigEndian.Uint16(rest) {
		case attrErrorCode:
			if n >= 4 {
				r.code = int(v[2]&7)*100 + int(v[3])
			}
		case attrRealm:
			r.realm = string(v)
		case attrNonce:
			r.nonce = string(v)
		case attrSoftware:
			r.software = string(v)
		case attrRelayed:
			if n == 8 || n == 20 {
				addr, _ := netip.AddrFromSlice(xored(v[4:], r.id))
				r.relayed = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(v[2:])^cookie>>16)
			}
		}
		rest = rest[min(4+(n+3)&^3, len(rest)):]
	}
	return r, nil
}
