package turn

import (
	"encoding/hex"
	"testing"
)

// A nonce was good for everybody for an hour, so a captured request could be replayed from elsewhere.
func TestNonceBelongsToItsAddress(t *testing.T) {
	s := start(t)
	a, b := dial(t, s, "udp"), dial(t, s, "udp")
	a.allocate()
	b.nonce, b.realm = a.nonce, a.realm
	if got := b.roundTrip(b.build(methodAllocate, classRequest, requestedTransport(protocolUDP))); got.code != codeStaleNonce {
		t.Errorf("another's nonce: got %d, want 438", got.code)
	}
	upper := []byte(a.nonce)
	lower(upper)
	for _, made := range []string{"0", a.nonce[:79], string(upper), hex.EncodeToString(make([]byte, 40))} {
		a := a
		a.nonce = made
		if got := a.roundTrip(a.build(methodRefresh, classRequest)); got.code != codeStaleNonce {
			t.Errorf("nonce %q: got %d, want 438", made, got.code)
		}
	}
	b.nonce = "x"
	b.allocate() // 438 carries a good one
}
