package turn

import (
	"slices"
	"strings"
	"testing"
	"time"
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

// A user of ours is known by the mark in its credentials, whatever form its id has. What looks like an id is one, too; nobody
// else can have credentials that do.
func TestOwnUsersAreMarked(t *testing.T) {
	s := start(t)
	for id, want := range map[string]string{"anything": "anything", ownUser: ownUser} {
		_, user, _, _ := s.ICEServers(id, "127.0.0.1")
		if _, name, _ := strings.Cut(user, ":"); ownID(name) != want {
			t.Errorf("%s is taken for %q, want %q", user, ownID(name), want)
		}
	}
	if ownID(ownUser) != ownUser || ownID("somebody") != "" || ownID("") != "" {
		t.Error("names without a mark are misread")
	}
	for _, user := range []string{ownUser, ownMark + "somebody", ownMark} {
		if _, _, err := Credential([]byte(testSecret), user, time.Now()); err == nil {
			t.Errorf("a credential for %q", user)
		}
	}
}
