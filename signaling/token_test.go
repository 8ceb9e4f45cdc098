package signaling

// This file tests that a session token says what it was given, and that nobody else can make one.

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"duet/internal/spin"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

func TestTokenAsTagged(t *testing.T) {
	signer := newSigner([]byte("0123456789abcdef"))
	for _, cl := range []claims{
		{ID: "u_x", Name: "Ann \"用户\"\\ <b>", Features: 15, Epoch: 1<<53 - 1, Issued: 1795554160000, Applied: 1<<53 - 1, Mode: "hs256", Subject: "auth|7\"", Until: 1795554160001},
		{ID: "u_x", Name: strings.Repeat("\U0001F600", 32), Call: &call.Snapshot{ID: "c_y", Phase: connected, Side: 1, PeerID: "u_z", PeerName: strings.Repeat("\U0001F600", 32), PeerFeatures: 3,
			Self: protocol.Media{Audio: true, Screen: true}, Peer: protocol.Media{Video: true}, Relay: true}},
	} {
		if got, good := signer.verify(signer.sign(cl)); !good || !reflect.DeepEqual(got, cl) {
			t.Errorf("got %+v %v, want %+v", got, good, cl)
		}
	}
}

func FuzzToken(f *testing.F) {
	signer := newSigner([]byte("0123456789abcdef"))
	f.Add(signer.sign(claims{ID: "u_x", Name: "Ann", Features: protocol.FeatureResume, Epoch: 5, Issued: 7}))
	f.Add(signer.sign(claims{ID: "u_x", Call: &call.Snapshot{ID: "c", Phase: connected, Side: 1, Self: protocol.Media{Audio: true}}}))
	f.Add("duet2..")
	f.Add("duet2.e30." + fmt.Sprintf("%043d", 0))
	f.Fuzz(func(t *testing.T, token string) {
		spin.Watch(t)
		if cl, good := signer.verify(token); good && signer.sign(cl) != token {
			// What we did not write ourselves must not pass, whatever it says.
			if again, good := signer.verify(signer.sign(cl)); !good || again.ID != cl.ID {
				t.Fatalf("%q passed", token)
			}
		}
		if _, good := newSigner([]byte("another")).verify(token); good {
			t.Fatalf("%q passed with another key", token)
		}
	})
}
