package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"duet/configs"
)

// TestSelfSignedNeverExpires: over a year, and over a clock that is set back, what is served is valid.
func TestSelfSignedNeverExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		setup, err := newTLS(t.Context(), configs.HTTP{SelfSigned: true}, "", []netip.Addr{netip.MustParseAddr("192.0.2.1")}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		var last *tls.Certificate
		made := 0
		for range 365 {
			cert, err := setup.config.GetCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(cert.Leaf)
			for _, at := range []time.Duration{0, 29 * 24 * time.Hour} { // a page that is open for a while
				if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: "192.0.2.1", Roots: roots, CurrentTime: time.Now().Add(at)}); err != nil {
					t.Fatal(err)
				}
			}
			if cert != last {
				made++
			}
			last = cert
			time.Sleep(24 * time.Hour)
		}
		if made < 4 || made > 7 {
			t.Errorf("made %d certificates in a year", made)
		}
	})
}

// TestSelfSignedFollowsTheClock: one that was made while the clock was wrong is not kept.
func TestSelfSignedFollowsTheClock(t *testing.T) {
	own := &ownCert{log: quiet()}
	for _, wrong := range []time.Duration{200 * 24 * time.Hour, -200 * 24 * time.Hour} {
		cert, _, _, err := own.valid()
		if err != nil {
			t.Fatal(err)
		}
		leaf := *cert.Leaf
		leaf.NotBefore, leaf.NotAfter = leaf.NotBefore.Add(wrong), leaf.NotAfter.Add(wrong)
		own.current = &tls.Certificate{Leaf: &leaf}
		cert, _, renewed, err := own.valid()
		if now := time.Now(); err != nil || !renewed || now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter) {
			t.Errorf("clock off by %s: renewed %v, %v", wrong, renewed, err)
		}
	}
}
