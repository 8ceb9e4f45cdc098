//go:build linux

package e2e

// WebKitGTK, driven by W3C WebDriver on a display of its own. It is built without RTCPeerConnection, has no devices, and is as
// near to Safari as a Linux machine comes: layout, dialogs, focus, keys and storage are the same engine's.

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// StartWebKit opens a WebKitGTK that ends with the test. It reaches the server through a proxy that puts the scripts, which
// are modules, ahead of the page's own.
func StartWebKit(t testing.TB, s *Server, name string, o BrowserOptions) *Browser {
	t.Helper()
	b := &Browser{Name: name, Console: &Log{}, t: t, server: s, url: ahead(t, s, o.Scripts)}
	display, err := xvfb(t, b.Console)
	if err != nil {
		t.Fatalf("Xvfb: %v: make deps installs it", err)
	}
	found, _ := filepath.Glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser")
	if len(found) == 0 {
		t.Fatal("no MiniBrowser: make deps installs it")
	}
	home, remove := tempProfile(t)
	t.Cleanup(remove)
	port := freePort(t)
	cmd := exec.Command("WebKitWebDriver", "--port="+port)
	cmd.Env = append(os.Environ(), "DISPLAY="+display, "HOME="+home, "XDG_RUNTIME_DIR="+home, "LANG=C.UTF-8", "LANGUAGE="+cmp.Or(o.Language, "en"), "NO_AT_BRIDGE=1", "GDK_BACKEND=x11")
	cmd.Stdout, cmd.Stderr = b.Console, b.Console
	driver, err := start(cmd)
	if err != nil {
		t.Fatalf("WebKitWebDriver: %v: make deps installs it", err)
	}
	t.Cleanup(driver.kill)
	w := &webkit{base: "http://127.0.0.1:" + port}
	b.page, b.Kill = w, driver.kill
	ask := map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"webkitgtk:browserOptions": map[string]any{"binary": found[len(found)-1], "args": []string{"--automation"}},
	}}}
	b.step("start WebKit", func(ctx context.Context) error {
		for {
			var session struct{ SessionID string }
			err := w.do(ctx, "POST", "/session", ask, &session)
			if err == nil {
				w.base += "/session/" + session.SessionID
				return nil
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() {
			b.tell()
		}
		_ = w.do(ctx, "DELETE", "", nil, nil) // else the browser outlives its driver
	})
	b.Viewport(1280, 800)
	return b
}

// xvfb is a display of its own that ends with the test.
func xvfb(t testing.TB, log io.Writer) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1600x1300x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stderr = log
	p, err := start(cmd)
	w.Close()
	if err != nil {
		return "", err
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(r).ReadString('\n')
	return ":" + strings.TrimSpace(line), err
}

// ahead is the address of the page with these scripts ahead of its own.
func ahead(t testing.TB, s *Server, scripts []string) string {
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	fakes, err := os.ReadFile("../../web/test/fakes.js")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	script := func(text string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			io.WriteString(rw, text)
		}
	}
	mux.HandleFunc("/fakes.js", script(string(fakes)))
	tags := ""
	for i, text := range scripts {
		name := "/ahead-" + strconv.Itoa(i) + ".js"
		mux.HandleFunc(name, script(text))
		tags += `<script type="module" src="` + name + `"></script>`
	}
	mux.Handle("/", &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				return nil
			}
			page, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			page = bytes.Replace(page, []byte("<script "), []byte(tags+"<script "), 1)
			r.Body = io.NopCloser(bytes.NewReader(page))
			r.Header.Set("Content-Length", strconv.Itoa(len(page)))
			return nil
		},
	})
	return serve(t, freePort(t), mux)
}

// webkit is a session of WebDriver (W3C).
type webkit struct{ base string }

func (w *webkit) do(ctx context.Context, method, path string, body, into any) error {
	if body == nil && method == "POST" {
		body = struct{}{}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("read WebDriver's answer to %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Value)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, into)
}

func (w *webkit) before(context.Context, string) error {
	return fmt.Errorf("scripts go ahead by the proxy")
}

func (w *webkit) navigate(ctx context.Context, url string) error {
	return w.do(ctx, "POST", "/url", map[string]string{"url": url}, nil)
}

// element is the reference that WebDriver knows one by.
const element = "element-6066-11e4-a52e-4f735466cecf"

func (w *webkit) click(ctx context.Context, selector string) error {
	var found map[string]string
	if err := w.do(ctx, "POST", "/element", map[string]string{"using": "css selector", "value": selector}, &found); err != nil {
		return err
	}
	return w.do(ctx, "POST", "/element/"+found[element]+"/click", nil, nil)
}

func (w *webkit) keys(ctx context.Context, text string) error {
	var strokes []map[string]string
	for _, key := range strings.ReplaceAll(text, "\t", "\uE004") {
		strokes = append(strokes, map[string]string{"type": "keyDown", "value": string(key)}, map[string]string{"type": "keyUp", "value": string(key)})
	}
	return w.do(ctx, "POST", "/actions", map[string]any{"actions": []any{map[string]any{"type": "key", "id": "keyboard", "actions": strokes}}}, nil)
}

func (w *webkit) evaluate(ctx context.Context, expression string) (string, error) {
	script := "const done = arguments[0]; Promise.resolve((" + expression + ")).then((value) => done({ value }), (error) => done({ error: String(error) }))"
	var got struct{ Value, Error string }
	err := w.do(ctx, "POST", "/execute/async", map[string]any{"script": script, "args": []any{}}, &got)
	if err == nil && got.Error != "" {
		err = fmt.Errorf("exception %s", got.Error)
	}
	return got.Value, err
}

// resize makes the page that large: the window has a frame besides.
func (w *webkit) resize(ctx context.Context, width, height int64) error {
	outer := map[string]int64{"width": width, "height": height}
	for range 3 {
		if err := w.do(ctx, "POST", "/window/rect", outer, nil); err != nil {
			return err
		}
		var inner []int64
		if err := w.do(ctx, "POST", "/execute/sync", map[string]any{"script": "return [innerWidth, innerHeight]", "args": []any{}}, &inner); err != nil {
			return err
		}
		if inner[0] == width && inner[1] == height {
			break
		}
		outer["width"] += width - inner[0]
		outer["height"] += height - inner[1]
	}
	return nil
}

func (w *webkit) picture(ctx context.Context) ([]byte, error) {
	var text string
	if err := w.do(ctx, "GET", "/screenshot", nil, &text); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}
