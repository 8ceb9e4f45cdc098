//go:build linux

package e2e

// One browser, one page: what is the same for Chromium and Firefox.

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

//go:embed probe.js
var probeScript string

// A Browser is one browser process with one page open.
type Browser struct {
	Name    string
	Console *Log   // what the page said, and what the browser said of it
	Kill    func() // ends the process at once, as a crash would

	t      testing.TB
	server *Server
	url    string // of the page
	page   driver
}

// driver is what the two protocols have in common.
type driver interface {
	// before adds a script that runs ahead of those of every page opened later.
	before(ctx context.Context, script string) error
	navigate(ctx context.Context, url string) error
	// click presses the mouse on the element, which is there and visible.
	click(ctx context.Context, selector string) error
	// keys types into what has the focus.
	keys(ctx context.Context, text string) error
	// evaluate gives the value of an expression whose value is a string, or a promise of one.
	evaluate(ctx context.Context, expression string) (string, error)
	resize(ctx context.Context, width, height int64) error
	picture(ctx context.Context) ([]byte, error)
}

// BrowserOptions says how a browser differs from one with camera, microphone and permission.
type BrowserOptions struct {
	NoDevices bool           // neither camera nor microphone (Chromium)
	Refuse    bool           // the person refuses camera and microphone (Chromium)
	Scripts   []string       // run before the page's own, in each document
	Flags     map[string]any // more for Chromium's command line
	Language  string         // "en" when empty
	URL       string         // of the page; the server's own when empty
	// Wrap changes the command before it starts: to run it in another network, say.
	Wrap func(*exec.Cmd)
	// Dial connects to the browser from outside of that network (Firefox; Chromium is led by a pipe).
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// settle prepares a browser that has just started.
func (b *Browser) settle(o BrowserOptions) {
	b.t.Helper()
	b.url = cmp.Or(o.URL, b.server.URL)
	for _, script := range append([]string{probeScript}, o.Scripts...) {
		b.step("add a script", func(ctx context.Context) error { return b.page.before(ctx, script) })
	}
	b.Viewport(1280, 800)
}

// step does one thing with the page within the time that anything may take.
func (b *Browser) step(what string, do func(context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := do(ctx); err != nil {
		b.t.Fatalf("%s: %s: %v", b.Name, what, err)
	}
}

// tempProfile is a folder for the browser's files, removed when the browser has ended.
func tempProfile(t testing.TB) (dir string, remove func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "duet-browser-")
	if err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		// A browser's last children may still write while they die.
		for range 100 {
			if os.RemoveAll(dir) == nil {
				return
			}
			<-time.After(20 * time.Millisecond)
		}
		t.Errorf("cannot remove %s", dir)
	}
}

// healthy: the page has thrown nothing, complained of nothing, and kept to its own content policy.
func (b *Browser) healthy() {
	b.t.Helper()
	for line := range strings.Lines(b.Console.String()) {
		if strings.HasPrefix(line, "exception:") || strings.HasPrefix(line, "console.error:") || strings.Contains(line, "Content Security Policy") {
			b.t.Errorf("%s: the page is not well: %s", b.Name, line)
		}
	}
}

// tell logs what helps to understand a failure, and takes a picture.
func (b *Browser) tell() {
	b.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%s: the page said:\n%s\n", b.Name, b.Console.tail(40))
	if all, err := b.stats(); err == nil {
		for _, s := range all {
			fmt.Fprintf(&text, "%s: %s\n", b.Name, s)
		}
	} else {
		fmt.Fprintf(&text, "%s: no stats: %v\n", b.Name, err)
	}
	if status, err := evaluate[string](b, "document.querySelector('[data-testid=status]')?.textContent ?? '(no status)'"); err == nil {
		fmt.Fprintf(&text, "%s: status: %s\n", b.Name, status)
	}
	if events, err := evaluate[[]string](b, "window.__duet?.events ?? []"); err == nil {
		fmt.Fprintf(&text, "%s: since the page was opened, in ms:\n    %s\n", b.Name, strings.Join(events, "\n    "))
	}
	b.t.Log(text.String())
	b.shoot("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-") + "-" + b.Name)
}

// JS evaluates an expression (a promise is awaited) and decodes what it gives.
func JS[T any](b *Browser, expression string) T {
	b.t.Helper()
	v, err := evaluate[T](b, expression)
	if err != nil {
		b.t.Fatalf("%s: evaluate %s: %v", b.Name, expression, err)
	}
	return v
}

func evaluate[T any](b *Browser, expression string) (T, error) {
	var v T
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, err := b.page.evaluate(ctx, "Promise.resolve("+expression+").then((v) => JSON.stringify(v) ?? 'null')")
	if err == nil {
		err = json.Unmarshal([]byte(text), &v)
	}
	return v, err
}

// Viewport makes the window that large; narrower than 500 is a phone.
func (b *Browser) Viewport(width, height int64) {
	b.t.Helper()
	b.step("resize", func(ctx context.Context) error { return b.page.resize(ctx, width, height) })
}

// shots is where pictures go; git ignores it.
const shots = "shots"

// Shot saves a picture of the page at both widths and fails when a line of it is wider than the window.
func (b *Browser) Shot(name string) {
	b.t.Helper()
	for _, w := range []struct {
		name          string
		width, height int64
	}{{"wide", 1280, 800}, {"phone", 390, 844}} {
		b.Viewport(w.width, w.height)
		JS[bool](b, "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
		if over := JS[int](b, "document.documentElement.scrollWidth - window.innerWidth"); over > 0 {
			b.t.Errorf("%s: %s at %d: the page is %d pixels too wide", b.Name, name, w.width, over)
		}
		b.shoot(name + "-" + w.name)
	}
	b.Viewport(1280, 800)
}

func (b *Browser) shoot(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	png, err := b.page.picture(ctx)
	if err == nil {
		err = os.MkdirAll(shots, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(shots, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Logf("%s: picture %s: %v", b.Name, name, err)
	}
}
