package relay

// The server's DTLS identity.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/pion/webrtc/v4"
)

// certificate makes the identity of this run. All legs share it; making one for each would cost more than the handshake.
//
// It is valid at any time that a clock can show, up to the date that means "no end" (RFC 5280, section 4.1.2.5): clients know
// it by the fingerprint in the answer (RFC 8122, section 5), and pion refuses to use one that has run out, which one with an
// end would do under a process that runs on, or whose clock is set.
func certificate() ([]webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make DTLS key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make DTLS certificate: %w", err)
	}
	cert, err := webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC),
	})
	if err != nil {
		return nil, fmt.Errorf("make DTLS certificate: %w", err)
	}
	return []webrtc.Certificate{*cert}, nil
}
