package plane

import (
	"testing"

	"github.com/pion/dtls/v3/pkg/protocol"

	"duet/internal/spin"
)

func TestKeysRefuseWhatTheyDoNotKnow(t *testing.T) {
	for name, change := range map[string]func(*Keys){
		"silent hooks":         func(k *Keys) { *k = Keys{} },
		"no key log":           func(k *Keys) { k.master = nil },
		"no hello":             func(k *Keys) { k.serverRandom = nil },
		"another DTLS version": func(k *Keys) { k.version = protocol.Version{Major: 0xfe, Minor: 0xfc} },
		"an unknown suite":     func(k *Keys) { k.suite = 0x1301 },
		"an unknown profile":   func(k *Keys) { k.profile = 99 },
	} {
		k := greeting(1)
		change(k)
		if _, _, err := k.contexts(); err == nil {
			t.Errorf("%s: keys were made", name)
		}
	}
}

func FuzzKeyLog(f *testing.F) {
	f.Add([]byte("CLIENT_RANDOM 00 01\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		spin.Watch(t)
		var k Keys
		if n, err := k.Write(line); n != len(line) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if _, _, err := k.contexts(); err == nil {
			t.Error("keys out of nothing")
		}
	})
}
