//go:build linux

package e2e

// Every screen of the page: what axe finds in it, that the keyboard gets everywhere in the order that is seen, that nothing is
// wider than the window. DUET_TEST_ALL=1 adds sizes, schemes and Chinese; the pictures are in shots/ and named for all that.

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

type size struct{ width, height int64 }

// looks are the windows in which each screen is looked at.
func looks() (sizes []size, schemes, languages []string) {
	if os.Getenv("DUET_TEST_ALL") == "" {
		return []size{{360, 740}, {1440, 900}}, []string{"light"}, []string{"en"}
	}
	return []size{{360, 740}, {820, 1180}, {1440, 900}, {740, 360}}, []string{"light", "dark"}, []string{"en", "zh"}
}

// scheme makes the browser prefer light or dark.
func (b *Browser) scheme(name string) {
	b.t.Helper()
	b.step("choose a scheme", func(ctx context.Context) error {
		ctx, cancel := b.page.(chromium).during(ctx)
		defer cancel()
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// axe is the program that finds what keeps people out; make deps installs it.
func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("../../.ci/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// findings asks axe: the rules of WCAG 2.2 AA and its makers' advice.
const findings = `axe.run(document, { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } })
  .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ' ' + target.join(' ') + ': ' + failureSummary)))`

// reachable is what the keyboard should get to, in the order of the document; one for each group of radio buttons, and for
// buttons of one name.
const reachable = `(() => {
  const groups = new Set(), dialog = [...document.querySelectorAll('dialog[open]')].at(-1)
  return [...new Set([...(dialog ?? document).querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter((e) => {
    if (e.disabled || e.tabIndex < 0 || !e.checkVisibility({ visibilityProperty: true })) return false
    if (e.type !== 'radio') return true
    if (groups.has(e.name)) return false
    return groups.add(e.name)
  }).map((e) => e.type === 'radio' ? e.name : (e.dataset.testid || e.id || e.dataset.action || e.ariaLabel || e.textContent.trim())))]
})()`

const focused = `(() => { const e = document.activeElement; return !e || e === document.body || e.localName === 'dialog' ? '' : e.type === 'radio' ? e.name : (e.dataset.testid || e.id || e.dataset.action || e.ariaLabel || e.textContent.trim()) })()`

// tabs walks through the page with the keyboard and compares, again where something came or went meanwhile, as notices do.
func (b *Browser) tabs(screen string) {
	b.t.Helper()
	var got, want []string
	for range 3 {
		want = JS[[]string](b, reachable)
		if got = b.walk(len(want)); sameRing(got, want) {
			return
		}
	}
	b.t.Errorf("%s: %s: Tab goes to %v, on the page are %v", b.Name, screen, got, want)
}

// walk presses Tab until it has been at so many places.
func (b *Browser) walk(places int) (been []string) {
	b.t.Helper()
	JS[bool](b, "(document.activeElement?.blur(), getSelection().removeAllRanges(), true)")
	for range 3 * places {
		b.step("press Tab", func(ctx context.Context) error { return b.page.keys(ctx, "\t") })
		if at := JS[string](b, focused); at != "" && !slices.Contains(been, at) {
			been = append(been, at)
		}
		if len(been) == places {
			break
		}
	}
	return been
}

// sameRing: the walk begins where the browser thinks that one was.
func sameRing(got, want []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	for i := range got {
		if slices.Equal(append(slices.Clone(got[i:]), got[:i]...), want) {
			return true
		}
	}
	return false
}

// look takes the screen in all sizes and schemes.
func (b *Browser) look(screen, language, axe string) {
	b.t.Helper()
	sizes, schemes, _ := looks()
	_, emulates := b.page.(chromium)
	for _, scheme := range schemes {
		if emulates {
			b.scheme(scheme)
		} else if scheme != "light" {
			continue
		}
		for _, s := range sizes {
			b.Viewport(s.width, s.height)
			JS[bool](b, "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))).then(() => Promise.allSettled(document.getAnimations().filter(a => a.effect.getTiming().iterations !== Infinity).map(a => a.finished))).then(() => true)")
			name := fmt.Sprintf("state-%s-%s-%d-%s", screen, language, s.width, scheme)
			if over := JS[int](b, "document.documentElement.scrollWidth - window.innerWidth"); over > 0 {
				b.t.Errorf("%s: the page is %d pixels too wide", name, over)
			}
			b.shoot(name)
			b.step("load axe", func(ctx context.Context) error {
				_, err := b.page.evaluate(ctx, "void "+"(() => {"+axe+"\n})() || ''")
				return err
			})
			for _, found := range JS[[]string](b, findings) {
				b.t.Errorf("%s: axe: %s", name, found)
			}
		}
	}
	b.Viewport(1280, 800)
	b.tabs(screen)
}

// TestScreens: nobody is kept out of any screen of a call's whole life.
func TestScreens(t *testing.T) {
	script := axe(t)
	_, _, languages := looks()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) { screens(t, language, script) })
	}
}

func screens(t *testing.T, language, script string) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{Language: language})
	bob := StartBrowser(t, s, "bob", BrowserOptions{Language: language})
	look := func(screen string) {
		t.Helper()
		alice.look(screen, language, script)
	}
	alice.Open("")
	look("login")
	alice.Login("virtual")
	look("empty")
	bob.Open("")
	bob.Login("virtual")
	alice.Eventually("bob is in the list", patience, func() bool { return alice.sees(row("bob")) })
	look("people")
	bob.Call("alice")
	alice.Eventually("it rings", patience, func() bool { return alice.Visible("incoming-dialog") })
	look("incoming")
	alice.Click("refuse")
	bob.Eventually("the call is over", patience, func() bool { return !bob.InCall() })
	look("refused")
	alice.Call("bob")
	bob.Eventually("it rings", patience, func() bool { return bob.Visible("incoming-dialog") })
	look("ringing")
	bob.Accept()
	alice.Sees(5)
	look("call")
	alice.Click("toggle-audio")
	alice.Click("toggle-video")
	look("muted")
	bob.Click("toggle-audio")
	bob.Click("toggle-video")
	alice.Eventually("bob's microphone is said to be off", patience, func() bool { return alice.Visible("peer-muted") })
	look("both-muted")
	s.Kill()
	alice.Eventually("the page says that the server is gone", patience, func() bool { return !alice.Online() })
	look("offline")
	s.Restart()
	for _, b := range []*Browser{alice, bob} {
		b.Eventually("the page is online", patience, b.Online)
	}
	bob.Click("hang-up")
	alice.Eventually("the call is over", patience, func() bool { return !alice.InCall() })
	look("ended")
	if strings.Contains(JS[string](alice, "document.documentElement.lang"), language) == false {
		t.Errorf("the page is in %s", JS[string](alice, "document.documentElement.lang"))
	}
}
