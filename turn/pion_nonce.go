package turn

// This file binds the library's nonces to the address they were given to.
//
// The library's nonce is a time and a signature in hexadecimal, good for everybody for an hour. Integrity covers it as
// the client sends it, so it cannot be wrapped; but the library reads hexadecimal in either case. The case of its
// letters therefore carries a signature of our own over nonce and client address: some thirty bits and no memory.

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
)

type nonceBinder struct{ key [32]byte }

func newNonceBinder() *nonceBinder {
	n := new(nonceBinder)
	rand.Read(n.key[:]) // never fails
	return n
}

// letters below this number mean that somebody made the nonce up: the library's have about thirty.
const minNonceLetters = 8

// bind writes the signature for client into a nonce of the library.
func (n *nonceBinder) bind(nonce []byte, client netip.AddrPort) {
	lower(nonce)
	mac, i := n.mac(nonce, client), 0
	for j, c := range nonce {
		if isLetter(c) {
			if mac[i/8%len(mac)]>>(i%8)&1 == 1 {
				nonce[j] = c &^ 0x20
			}
			i++
		}
	}
}

// bound says whether this nonce was given to client.
func (n *nonceBinder) bound(nonce []byte, client netip.AddrPort) bool {
	if len(nonce) != 80 {
		return false
	}
	var plain [80]byte
	copy(plain[:], nonce)
	n.bind(plain[:], client)
	letters := 0
	for _, c := range nonce {
		if isLetter(c) {
			letters++
		}
	}
	return letters >= minNonceLetters && hmac.Equal(plain[:], nonce)
}

func (n *nonceBinder) mac(nonce []byte, client netip.AddrPort) []byte {
	mac := hmac.New(sha256.New, n.key[:])
	mac.Write(nonce)
	addr, port := client.Addr().As16(), client.Port()
	mac.Write(addr[:])
	mac.Write([]byte{byte(port >> 8), byte(port)})
	return mac.Sum(nil)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'f' }

func lower(b []byte) {
	for i, c := range b {
		if c >= 'A' && c <= 'F' {
			b[i] = c | 0x20
		}
	}
}
