//go:build linux

package e2e

// The library on a page of another origin: examples/embed, with the library from the real program.

import (
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// elsewhere serves a folder at an origin of its own until the test ends.
func elsewhere(t *testing.T, port, folder string) string {
	t.Helper()
	return serve(t, port, http.FileServer(http.Dir(folder)))
}

// embedded opens the page and enters.
func (b *Browser) embedded(server string) {
	b.t.Helper()
	b.Open("?server=" + url.QueryEscape(server))
	b.Eventually("the library is there", patience, func() bool {
		return JS[bool](b, "document.getElementById('enter').onsubmit !== null")
	})
	JS[bool](b, "(document.getElementById('name').value = '"+b.Name+"', document.getElementById('enter').requestSubmit(), true)")
	b.says("You are " + b.Name + ".")
}

func (b *Browser) says(text string) {
	b.t.Helper()
	b.Eventually("the page says "+text, patience, func() bool {
		return JS[string](b, "document.getElementById('state').textContent") == text
	})
}

// TestEmbedded: three calls of the library make a call, with camera and microphone open only while it lasts.
func TestEmbedded(t *testing.T) {
	port := freePort(t)
	page := elsewhere(t, port, "../../examples/embed")
	s := StartServer(t, "http.allowed_origins="+page)
	alice := StartBrowser(t, s, "alice", BrowserOptions{URL: page})
	bob := StartBrowser(t, s, "bob", BrowserOptions{URL: page})
	alice.embedded(s.URL)
	bob.embedded(s.URL)
	alice.click("#people button")
	bob.click("#answer")
	for _, b := range []*Browser{alice, bob} {
		b.Sees(20)
		b.Hears()
		b.Eventually("a picture in the element", patience, func() bool { return JS[int](b, "document.getElementById('them').videoWidth") > 2 })
	}
	alice.says("bob: accepted connected")
	bob.click("#end")
	bob.says("Over: hangup-self")
	alice.says("Over: hangup")
}

// TestClassicScript: a script tag makes the library of it, on a page of another origin, and it knows what works.
func TestClassicScript(t *testing.T) {
	page := elsewhere(t, freePort(t), t.TempDir())
	s := StartServer(t, "http.allowed_origins="+page)
	b := StartBrowser(t, s, "carol", BrowserOptions{URL: page})
	b.Open("")
	JS[bool](b, "new Promise((done, fail) => { const tag = document.createElement('script'); tag.src = '"+s.URL+"classic.js'; tag.onload = () => done(true); tag.onerror = fail; document.head.append(tag) })")
	name := JS[string](b, "duetClient.then(({ Duet }) => (globalThis.duet = new Duet()).join('carol')).then(({ username }) => username)")
	if name != "carol" {
		t.Errorf("got %q, want carol", name)
	}
	got := map[string]string{}
	for _, one := range JS[[]struct {
		What, Code string
		OK         bool
	}](b, "duet.checkConnection()") {
		got[one.What] = one.Code
		if one.OK != (one.Code == "") {
			t.Errorf("%s: ok is %v with the code %q", one.What, one.OK, one.Code)
		}
	}
	want := map[string]string{"server": "", "stun": "", "turn-udp": "", "turn-tcp": "", "turn-tls": "missing", "camera": "", "microphone": ""}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFrame: a page around leads ours by messages, where the operator lets its origin, and nobody else's shows it.
func TestFrame(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "around.html"), []byte(around), 0o600); err != nil {
		t.Fatal(err)
	}
	page := elsewhere(t, freePort(t), folder)
	s := StartServer(t, "http.frame_ancestors="+strings.TrimSuffix(page, "/"))
	alice := StartBrowser(t, s, "alice", BrowserOptions{URL: page})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	bob.Open("")
	bob.Login("virtual")
	alice.Open("around.html?" + s.URL)
	hears := func(want string) {
		t.Helper()
		alice.Eventually("the page around hears "+want, patience, func() bool { return JS[bool](alice, "heard.some((one) => one.includes('"+want+"'))") })
	}
	alice.Eventually("the frame answers", patience, func() bool { return JS[bool](alice, "(tell({ type: 'duet-state' }), heard.length > 0)") })
	JS[bool](alice, "(tell({ type: 'duet-call', target: 'bob' }), true)")
	hears(`"code":"not-joined"`)
	JS[bool](alice, "(tell({ type: 'duet-join', name: 'alice' }), true)")
	hears(`"username":"alice","online":true`)
	JS[bool](alice, "(tell({ type: 'duet-call', target: 'bob' }), true)")
	hears(`"phase":"ringing"`)
	bob.Click("accept")
	hears(`"phase":"accepted","state":"connected","peer":"bob"`)
	bob.Sees(5)
	JS[bool](alice, "(tell({ type: 'duet-hang-up' }), true)")
	hears(`"reason":"hangup-self"`)
	bob.Eventually("the call is over", patience, func() bool { return !bob.InCall() })
}

// around is a page that shows ours and notes what it hears.
const around = `<!doctype html><iframe allow="camera; microphone; autoplay"></iframe><script>
const heard = [], frame = document.querySelector('iframe'), server = new URL(location.search.slice(1))
frame.src = server
addEventListener('message', ({ origin, data }) => origin === server.origin && heard.push(JSON.stringify(data)))
const tell = (message) => frame.contentWindow.postMessage(message, server.origin)
</script>`

// TestEmbedExample: the example runs with one command.
func TestEmbedExample(t *testing.T) {
	program := filepath.Join(t.TempDir(), "embed")
	if out, err := exec.Command("go", "build", "-o", program, "duet/examples/embed").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	here, there := net.JoinHostPort(Host(), freePort(t)), net.JoinHostPort(Host(), freePort(t))
	p, err := start(exec.Command(program, here, there))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	for _, url := range []string{"http://" + here + "/", "http://" + there + "/duet.js"} {
		for deadline := time.Now().Add(20 * time.Second); ; {
			if res, err := http.Get(url); err == nil {
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("%s: got %s", url, res.Status)
				}
				break
			}
			if p.wait(50*time.Millisecond) || time.Now().After(deadline) {
				t.Fatalf("%s does not answer", url)
			}
		}
	}
}
