//go:build linux

package e2e

// Chromium, driven by the DevTools protocol through a pipe.

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// StartBrowser opens a Chromium that ends with the test.
func StartBrowser(t testing.TB, s *Server, name string, o BrowserOptions) *Browser {
	t.Helper()
	exe, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: make deps installs it", err)
	}
	dir, remove := tempProfile(t)
	t.Cleanup(remove)
	b := &Browser{Name: name, Console: &Log{}, t: t, server: s}
	if o.Language == "" {
		o.Language = "en"
	}
	devices := "fps=15"
	if o.NoDevices {
		devices = "device-count=0"
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(exe),
		chromedp.UserDataDir(dir),
		chromedp.NoSandbox,
		chromedp.Flag("headless", "new"),
		chromedp.Flag("use-fake-device-for-media-stream", devices),
		chromedp.Flag("use-fake-ui-for-media-stream", !o.Refuse),
		chromedp.Flag("deny-permission-prompts", o.Refuse),
		chromedp.Flag("unsafely-treat-insecure-origin-as-secure", strings.TrimSuffix(cmp.Or(o.URL, s.URL), "/")),
		chromedp.Flag("disable-features", "Translate,MediaRouter,OptimizationHints,WebRtcHideLocalIpsWithMdns"),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("mute-audio", true),
		chromedp.Flag("lang", o.Language),
		chromedp.Flag("accept-lang", o.Language),
		chromedp.WindowSize(1280, 800),
		chromedp.Env("HOME="+dir, "TMPDIR="+dir, "LANGUAGE="+o.Language, "LANG=C.UTF-8"),
		chromedp.CombinedOutput(&Log{}),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			guard(cmd)
			if o.Wrap != nil {
				o.Wrap(cmd)
			}
		}),
	)
	for k, v := range o.Flags {
		opts = append(opts, chromedp.Flag(k, v))
	}
	alloc, endAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, end := chromedp.NewContext(alloc, chromedp.WithErrorf(func(f string, a ...any) { fmt.Fprintf(b.Console, "chromedp: "+f+"\n", a...) }))
	b.Kill = func() {
		if c := chromedp.FromContext(ctx); c.Browser != nil && c.Browser.Process() != nil {
			killGroup(c.Browser.Process().Pid)
		}
	}
	t.Cleanup(func() {
		b.Kill()
		end()
		endAlloc()
	})
	t.Cleanup(func() {
		b.healthy()
		if t.Failed() {
			b.tell()
		}
	})

	// The first use starts the browser, and its context is the browser's life: no time limit here but the watchdog's.
	watchdog := time.AfterFunc(patience, end)
	var answers sync.WaitGroup // to the question whether one wants to leave a call
	t.Cleanup(answers.Wait)
	err = chromedp.Listen(ctx, func(ev any) {
		if _, asks := ev.(*page.EventJavascriptDialogOpening); asks {
			answers.Go(func() {
				_, err := chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
				if err != nil {
					fmt.Fprintf(b.Console, "answer a dialog: %v\n", err)
				}
			})
			return
		}
		b.listen(ev)
	})
	watchdog.Stop()
	if err != nil {
		t.Fatalf("%s: start Chromium: %v", name, err)
	}
	b.page = chromium{func(limit context.Context) (context.Context, context.CancelFunc) {
		deadline, _ := limit.Deadline()
		return context.WithDeadline(ctx, deadline)
	}}
	b.settle(o)
	return b
}

// listen notes what a developer would see in the console. It runs on the goroutine that reads from the browser.
func (b *Browser) listen(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		var parts []string
		for _, a := range ev.Args {
			if a.Description != "" {
				parts = append(parts, a.Description)
			} else {
				parts = append(parts, string(a.Value))
			}
		}
		fmt.Fprintf(b.Console, "console.%s: %s\n", ev.Type, strings.Join(parts, " "))
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			text += " " + ev.ExceptionDetails.Exception.Description
		}
		fmt.Fprintf(b.Console, "exception: %s\n", text)
	case *log.EventEntryAdded:
		fmt.Fprintf(b.Console, "%s: %s %s\n", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
	}
}

// chromium is the page as chromedp knows it: during gives the tab, which is a context, the deadline of another.
type chromium struct {
	during func(context.Context) (context.Context, context.CancelFunc)
}

func (c chromium) do(ctx context.Context, a chromedp.Action[chromedp.Void]) error {
	ctx, cancel := c.during(ctx)
	defer cancel()
	return chromedp.Do(ctx, a)
}

func (c chromium) before(ctx context.Context, script string) error {
	ctx, cancel := c.during(ctx)
	defer cancel()
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	return err
}

func (c chromium) navigate(ctx context.Context, url string) error {
	return c.do(ctx, chromedp.Navigate(url))
}

func (c chromium) click(ctx context.Context, selector string) error {
	for {
		err := c.do(ctx, chromedp.Click(chromedp.CSS(selector)))
		// The page may have drawn itself anew between finding the element and clicking it.
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "Could not find node") {
			return err
		}
	}
}

func (c chromium) keys(ctx context.Context, text string) error {
	return c.do(ctx, chromedp.KeyEvent(text))
}

func (c chromium) evaluate(ctx context.Context, expression string) (string, error) {
	ctx, cancel := c.during(ctx)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
}

func (c chromium) resize(ctx context.Context, width, height int64) error {
	return c.do(ctx, chromedp.EmulateViewport(width, height))
}

func (c chromium) picture(ctx context.Context) ([]byte, error) {
	ctx, cancel := c.during(ctx)
	defer cancel()
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}
