package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
)

const year = 365 * 24 * time.Hour

// A process that runs for years makes connections with the certificate of its beginning.
func TestCertificateLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		certs, err := certificate()
		if err != nil {
			t.Fatal(err)
		}
		for month := range 10 * 12 {
			pc, err := webrtc.NewPeerConnection(webrtc.Configuration{Certificates: certs})
			if err != nil {
				t.Fatalf("after %d months: %v", month, err)
			}
			if err := pc.GracefulClose(); err != nil {
				t.Error(err)
			}
			time.Sleep(year / 12)
		}
	})
}

// The clock may be wrong when the certificate is made, and be set while the process runs. In a bubble it is the year 2000.
func TestCertificateIsForAnyClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"set forward": 0, "set back": 100 * year} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(ahead)
				certs, err := certificate()
				if err != nil {
					t.Fatal(err)
				}
				s.certs = certs
			})
			a, b, _ := pair(t, s, clientOptions{})
			talk(t, a, b)
		})
	}
}
