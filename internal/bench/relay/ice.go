package relay

// This file is as much of ICE (RFC 8445) as a client with one address must do: check, nominate, answer.

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

const (
	stunCookie     = 0x2112a442
	bindingRequest = 0x0001
	bindingSuccess = 0x0101

	attrUsername     = 0x0006
	attrIntegrity    = 0x0008
	attrXORMapped    = 0x0020
	attrPriority     = 0x0024
	attrUseCandidate = 0x0025
	attrFingerprint  = 0x8028
	attrControlled   = 0x8029
	attrControlling  = 0x802a
)

func stunAttr(b []byte, typ uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// stunSeal adds MESSAGE-INTEGRITY and FINGERPRINT; each covers a header whose length ends with it.
func stunSeal(b []byte, password string) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+24))
	mac := hmac.New(sha1.New, []byte(password))
	mac.Write(b)
	b = stunAttr(b, attrIntegrity, mac.Sum(nil))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+8))
	return stunAttr(b, attrFingerprint, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)^0x5354554e))
}

// check is a connectivity check of this peer.
func (p *peer) check() []byte {
	b := binary.BigEndian.AppendUint16(nil, bindingRequest)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, stunCookie)
	rand.Read(p.checkID[:])
	b = append(b, p.checkID[:]...)
	b = stunAttr(b, attrUsername, []byte(p.remote.ufrag+":"+p.ufrag))
	b = stunAttr(b, attrPriority, binary.BigEndian.AppendUint32(nil, 110<<24|65535<<8|255))
	if p.controlling {
		b = stunAttr(b, attrControlling, p.tie[:])
		b = stunAttr(b, attrUseCandidate, nil)
	} else {
		b = stunAttr(b, attrControlled, p.tie[:])
	}
	return stunSeal(b, p.remote.pwd)
}

// answerCheck is the success for a check that came from an address; nil when it is no check.
func (p *peer) answerCheck(request []byte, from netip.AddrPort) []byte {
	if len(request) < 20 || binary.BigEndian.Uint16(request) != bindingRequest || binary.BigEndian.Uint32(request[4:]) != stunCookie {
		return nil
	}
	b := binary.BigEndian.AppendUint16(nil, bindingSuccess)
	b = append(b, 0, 0)
	b = append(b, request[4:20]...)
	v := binary.BigEndian.AppendUint16([]byte{0, 1}, from.Port()^stunCookie>>16)
	ip := from.Addr().As4()
	v = binary.BigEndian.AppendUint32(v, binary.BigEndian.Uint32(ip[:])^stunCookie)
	return stunSeal(stunAttr(b, attrXORMapped, v), p.pwd)
}

// answered reports whether b is the success for this peer's last check.
func (p *peer) answered(b []byte) bool {
	return len(b) >= 20 && binary.BigEndian.Uint16(b) == bindingSuccess && [12]byte(b[8:20]) == p.checkID
}
