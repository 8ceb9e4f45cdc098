//go:build linux

package e2e

// Firefox, driven by WebDriver BiDi through a WebSocket (https://w3c.github.io/webdriver-bidi): no driver program between.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"duet/internal/lock"
)

// firefoxPrefs: a camera and a microphone that are made up, given without asking also to a page of plain http, and
// nothing asked of the maker's hosts.
const firefoxPrefs = `user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.devices.insecure.enabled", true);
user_pref("media.getusermedia.insecure.enabled", true);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("media.autoplay.default", 0);
user_pref("media.volume_scale", "0.0");
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1/");
`

// StartFirefox opens a Firefox that ends with the test. Of the options it heeds Scripts, URL, Wrap and Dial.
func StartFirefox(t testing.TB, s *Server, name string, o BrowserOptions) *Browser {
	t.Helper()
	exe, err := exec.LookPath("firefox-esr")
	if err != nil {
		if exe, err = exec.LookPath("firefox"); err != nil {
			t.Fatalf("%v: make deps installs it", err)
		}
	}
	dir, remove := tempProfile(t)
	t.Cleanup(remove)
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(firefoxPrefs), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "--headless", "--no-remote", "--profile", dir, "--remote-debugging-port", "0", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+dir, "MOZ_CRASHREPORTER_DISABLE=1")
	output := &Log{}
	cmd.Stdout, cmd.Stderr = output, output
	if o.Wrap != nil {
		o.Wrap(cmd)
	}
	p, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)

	b := &Browser{Name: name, Console: &Log{}, t: t, server: s, Kill: p.kill}
	listening := regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)
	var url string
	deadline := time.Now().Add(patience)
	for url == "" {
		if m := listening.FindStringSubmatch(output.String()); m != nil {
			url = m[1]
		} else if p.wait(50*time.Millisecond) || time.Now().After(deadline) {
			t.Fatalf("%s: Firefox offers no BiDi: %v\n%s", name, p.err, output.tail(20))
		}
	}
	dialer := websocket.Dialer{NetDialContext: o.Dial, HandshakeTimeout: patience}
	conn, _, err := dialer.Dial(url+"/session", nil)
	if err != nil {
		t.Fatalf("%s: connect to Firefox: %v", name, err)
	}
	f := &firefox{conn: conn, console: b.Console, waiting: map[int]chan bidiReply{}, done: make(chan struct{})}
	go f.read()
	t.Cleanup(func() {
		conn.Close()
		<-f.done
	})
	t.Cleanup(func() {
		b.healthy()
		if t.Failed() {
			b.tell()
		}
	})
	b.page = f
	b.step("begin a session", f.begin)
	b.settle(o)
	return b
}

// firefox is a BiDi session with one tab.
type firefox struct {
	console *Log
	tab     string
	done    chan struct{} // closed when read has ended

	mu      lock.Mutex[lock.Leaf] // guards what follows, and writing
	conn    *websocket.Conn
	last    int
	waiting map[int]chan bidiReply
}

type bidiReply struct {
	ID      *int            `json:"id"`
	Type    string          `json:"type"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
}

// read hands replies to those who wait and notes what the page says, until the connection ends.
func (f *firefox) read() {
	defer close(f.done)
	for {
		var m bidiReply
		if err := f.conn.ReadJSON(&m); err != nil {
			return
		}
		if m.ID == nil {
			var entry struct{ Type, Level, Text string }
			if m.Method == "log.entryAdded" && json.Unmarshal(m.Params, &entry) == nil {
				if entry.Type == "javascript" && entry.Level == "error" {
					entry.Level = "exception"
				}
				fmt.Fprintf(f.console, "%s: %s\n", entry.Level, entry.Text)
			}
			continue
		}
		f.mu.Lock()
		reply := f.waiting[*m.ID]
		delete(f.waiting, *m.ID)
		f.mu.Unlock()
		if reply != nil {
			reply <- m
		}
	}
}

// call sends a command and decodes its result, unless result is nil.
func (f *firefox) call(ctx context.Context, method string, params, result any) error {
	reply := make(chan bidiReply, 1)
	f.mu.Lock()
	f.last++
	id := f.last
	f.waiting[id] = reply
	err := f.conn.WriteJSON(map[string]any{"id": id, "method": method, "params": params})
	f.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-reply:
		if m.Type == "error" {
			return fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-f.done:
		return errors.New("firefox is gone")
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

type object = map[string]any

func (f *firefox) begin(ctx context.Context) error {
	if err := f.call(ctx, "session.new", object{"capabilities": object{"alwaysMatch": object{"acceptInsecureCerts": true}}}, nil); err != nil {
		return err
	}
	if err := f.call(ctx, "session.subscribe", object{"events": []string{"log.entryAdded"}}, nil); err != nil {
		return err
	}
	var tree struct{ Contexts []struct{ Context string } }
	if err := f.call(ctx, "browsingContext.getTree", object{}, &tree); err != nil {
		return err
	}
	if len(tree.Contexts) == 0 {
		return errors.New("no tab")
	}
	f.tab = tree.Contexts[0].Context
	return nil
}

func (f *firefox) before(ctx context.Context, script string) error {
	return f.call(ctx, "script.addPreloadScript", object{"functionDeclaration": "() => {" + script + "\n}"}, nil)
}

func (f *firefox) navigate(ctx context.Context, url string) error {
	return f.call(ctx, "browsingContext.navigate", object{"context": f.tab, "url": url, "wait": "complete"}, nil)
}

func (f *firefox) click(ctx context.Context, selector string) error {
	var found struct{ Nodes []struct{ SharedID string } }
	if err := f.call(ctx, "browsingContext.locateNodes", object{"context": f.tab, "locator": object{"type": "css", "value": selector}}, &found); err != nil {
		return err
	}
	if len(found.Nodes) == 0 {
		return fmt.Errorf("no element %s", selector)
	}
	origin := object{"type": "element", "element": object{"sharedId": found.Nodes[0].SharedID}}
	return f.act(ctx, object{"type": "pointer", "id": "mouse", "actions": []object{
		{"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
		{"type": "pointerDown", "button": 0},
		{"type": "pointerUp", "button": 0},
	}})
}

func (f *firefox) keys(ctx context.Context, text string) error {
	var actions []object
	for _, r := range text {
		actions = append(actions, object{"type": "keyDown", "value": string(r)}, object{"type": "keyUp", "value": string(r)})
	}
	return f.act(ctx, object{"type": "key", "id": "keyboard", "actions": actions})
}

func (f *firefox) act(ctx context.Context, source object) error {
	return f.call(ctx, "input.performActions", object{"context": f.tab, "actions": []object{source}}, nil)
}

func (f *firefox) evaluate(ctx context.Context, expression string) (string, error) {
	var r struct {
		Type   string
		Result struct {
			Type  string
			Value json.RawMessage
		}
		ExceptionDetails struct{ Text string }
	}
	err := f.call(ctx, "script.evaluate", object{"expression": expression, "target": object{"context": f.tab}, "awaitPromise": true}, &r)
	if err != nil {
		return "", err
	}
	if r.Type != "success" {
		return "", errors.New(r.ExceptionDetails.Text)
	}
	var text string
	err = json.Unmarshal(r.Result.Value, &text)
	return text, err
}

func (f *firefox) resize(ctx context.Context, width, height int64) error {
	return f.call(ctx, "browsingContext.setViewport", object{"context": f.tab, "viewport": object{"width": width, "height": height}}, nil)
}

func (f *firefox) picture(ctx context.Context) ([]byte, error) {
	var shot struct{ Data string }
	if err := f.call(ctx, "browsingContext.captureScreenshot", object{"context": f.tab}, &shot); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(strings.TrimSpace(shot.Data))
}
