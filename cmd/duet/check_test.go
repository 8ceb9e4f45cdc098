package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	environ := []string{
		"DUET_STATE_DIR=" + t.TempDir(), "DUET_HTTP_LISTEN=", "DUET_HTTP_TLS_LISTEN=" + freePort(t), "DUET_HTTP_SELF_SIGNED=true",
		"DUET_TURN_LISTEN=" + freePort(t), "DUET_TURN_TLS_LISTEN=" + freePort(t), "DUET_RELAY_LISTEN=" + freePort(t),
	}
	out, err := duet(t, environ, "check").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "FAILED  https://") || !strings.Contains(string(out), "7 of 7 checks failed") {
		t.Errorf("without a server: got %v\n%s", err, out)
	}

	start(t, duet(t, environ))
	out, err = duet(t, environ, "check", "-insecure").CombinedOutput()
	if err != nil {
		t.Errorf("with a server: got %v\n%s", err, out)
	}
	for _, want := range []string{"ok      https://", "ok      relay ", "ok      stun:", "?transport=udp: ", "?transport=tcp: ", "ok      turns:", "through two allocations"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got no %q in\n%s", want, out)
		}
	}
	if n := strings.Count(string(out), "ok      turns:"); n != 2 {
		t.Errorf("%d ports carry TURN over TLS, want the one with HTTPS and turn.tls_listen:\n%s", n, out)
	}
	// The certificate is self-signed: without -insecure what uses it fails, and the rest works.
	out, err = duet(t, environ, "check").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "3 of 7 checks failed") {
		t.Errorf("with a certificate that nobody knows: got %v\n%s", err, out)
	}
}
