package turn

import (
	"slices"
	"strings"
	"testing"
)

func TestICEServers(t *testing.T) {
	s := start(t)
	udp, _ := s.Addrs()
	_, port, _ := strings.Cut(udp.String(), ":")
	for host, want := range map[string]string{
		"call.example.org": "call.example.org:", "localhost": "localhost:", "192.0.2.1": "192.0.2.1:", "2001:db8::1": "[2001:db8::1]:",
		"[2001:db8::1]": "[2001:db8::1]:", "": "127.0.0.1:", "a b": "127.0.0.1:", "evil.example?transport=tcp": "127.0.0.1:",
		"-x.example": "127.0.0.1:", "a..b": "127.0.0.1:", "0.0.0.0": "127.0.0.1:", "2130706433": "127.0.0.1:", "user@host": "127.0.0.1:",
		strings.Repeat("a.", 130): "127.0.0.1:",
	} {
		urls, user, _, _ := s.ICEServers(ownUser, host)
		if got := []string{"stun:" + want + port, "turn:" + want + port + "?transport=udp", "turn:" + want + port + "?transport=tcp"}; !slices.Equal(urls, got) {
			t.Errorf("host %q: got %q, want %q", host, urls, got)
		}
		if !strings.HasSuffix(user, ":"+ownUser) {
			t.Errorf("username %q", user)
		}
	}
}
