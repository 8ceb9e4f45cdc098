package protocol

// This file makes the ids of users and calls.

import "crypto/rand"

const (
	idLength   = 22
	idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// NewID returns a prefix and 22 random characters, about 131 bits.
func NewID(prefix string) string {
	id := make([]byte, 0, len(prefix)+idLength)
	id = append(id, prefix...)
	var random [32]byte
	for len(id) < cap(id) {
		rand.Read(random[:]) // never fails
		for _, b := range random {
			// 248 = 4*62: refusing the rest keeps every character equally likely.
			if b < 248 && len(id) < cap(id) {
				id = append(id, idAlphabet[b%62])
			}
		}
	}
	return string(id)
}
