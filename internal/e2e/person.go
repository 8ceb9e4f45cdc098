//go:build linux

package e2e

// What a person does with the page, and what shows that it worked.

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// patience is how long anything may take on a busy machine before it counts as never.
const patience = 45 * time.Second

func testID(id string) string { return `[data-testid="` + id + `"]` }

// Open loads the page; where is "", a query that starts with "?", or the path of something else than the page. A drawn picture
// moves, so that it shows whether pictures come.
func (b *Browser) Open(where string) {
	b.t.Helper()
	if query, is := strings.CutPrefix(where, "?"); is || where == "" {
		where = "?clock=1&" + query
	}
	b.step("open the page", func(ctx context.Context) error { return b.page.navigate(ctx, b.url+where) })
}

// Leave closes the page, so to speak: an empty one takes its place.
func (b *Browser) Leave() {
	b.t.Helper()
	b.step("leave the page", func(ctx context.Context) error { return b.page.navigate(ctx, "about:blank") })
}

// Click clicks the element once it can be seen, with the mouse: to the browser that is a person's gesture.
func (b *Browser) Click(id string) {
	b.t.Helper()
	b.click(testID(id))
}

func (b *Browser) click(selector string) {
	b.t.Helper()
	b.Eventually("there is "+selector, patience, func() bool { return b.sees(selector) })
	b.step("click "+selector, func(ctx context.Context) error { return b.page.click(ctx, selector) })
}

// sees tells whether an element is there, visible, enabled and not covered by another.
func (b *Browser) sees(selector string) bool {
	b.t.Helper()
	return JS[bool](b, `(() => {
  const e = document.querySelector('`+selector+`')
  if (!e?.checkVisibility({ visibilityProperty: true }) || e.disabled) return false
  e.scrollIntoView({ block: 'nearest' })
  const r = e.getBoundingClientRect()
  const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)
  return !!top && (e.contains(top) || top.contains(e))
})()`)
}

// Login enters with the browser's name; source is "camera", "virtual" or "none".
func (b *Browser) Login(source string) {
	b.t.Helper()
	b.Click("login-name")
	b.step("type the name", func(ctx context.Context) error { return b.page.keys(ctx, b.Name) })
	b.Click("source-" + source)
	b.Click("login-submit")
	b.Eventually("the list of people", patience, func() bool { return b.Visible("user-list") })
}

func row(name string) string { return `[data-testid="user-row"][data-username="` + name + `"]` }

// Call rings another person from the list.
func (b *Browser) Call(name string) {
	b.t.Helper()
	b.click(row(name) + " " + testID("call"))
}

// Accept waits for the ringing and takes the call.
func (b *Browser) Accept() {
	b.t.Helper()
	b.Eventually("it rings", patience, func() bool { return b.Visible("incoming-dialog") })
	b.Click("accept")
}

// Visible tells whether a person sees the element.
func (b *Browser) Visible(id string) bool {
	b.t.Helper()
	return JS[bool](b, `document.querySelector('[data-testid="`+id+`"]')?.checkVisibility({visibilityProperty: true}) ?? false`)
}

// Text is what the element says.
func (b *Browser) Text(id string) string {
	b.t.Helper()
	return JS[string](b, `document.querySelector('[data-testid="`+id+`"]')?.textContent.trim() ?? ''`)
}

// Eventually waits until the condition holds, asking often.
func (b *Browser) Eventually(what string, limit time.Duration, holds func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within %v: %s", b.Name, limit, what)
		}
		<-time.After(80 * time.Millisecond)
	}
}

// Stats are the connections that are not closed.
func (b *Browser) Stats() []Stats {
	b.t.Helper()
	all, err := b.stats()
	if err != nil {
		b.t.Fatalf("%s: read getStats: %v", b.Name, err)
	}
	return all
}

func (b *Browser) stats() ([]Stats, error) {
	// As text: what getStats holds is the browser's affair, and one number too odd must not cost the rest.
	text, err := evaluate[string](b, "window.__duet ? __duet.stats().then(JSON.stringify) : '[]'")
	if err != nil {
		return nil, err
	}
	var all []Stats
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("read stats: %w", err)
	}
	return all, nil
}

// Flow is what comes in at this moment, summed.
func (b *Browser) Flow() Flow {
	b.t.Helper()
	return flow(b.Stats())
}

// Path is the way of the connection that brings the pictures, by getStats; "" when there is none.
func (b *Browser) Path() string {
	b.t.Helper()
	for _, s := range b.Stats() {
		if s.State == "connected" && s.InVideo != nil && s.InVideo.Frames > 0 {
			if p := s.path(b.server.relayPort()); p != "" {
				return p
			}
		}
	}
	return ""
}

// ShownPath is the path that the page tells of.
func (b *Browser) ShownPath() string {
	b.t.Helper()
	return JS[string](b, `document.querySelector('[data-testid="path"]')?.dataset.path ?? ''`)
}

// Grows waits until a number of what comes in has risen by n. It falls when a connection is closed, and counting begins
// anew.
func (b *Browser) Grows(what string, n float64, number func(Flow) float64) {
	b.t.Helper()
	first := number(b.Flow())
	b.Eventually(fmt.Sprintf("%s: %v more", what, n), patience, func() bool {
		now := number(b.Flow())
		first = min(first, now)
		return now >= first+n
	})
}

// Stops waits until a number of what comes in has not risen for a second.
func (b *Browser) Stops(what string, number func(Flow) float64) {
	b.t.Helper()
	last, since := number(b.Flow()), time.Now()
	b.Eventually(what+" stops", patience, func() bool {
		if now := number(b.Flow()); now < last || now > last+noise {
			last, since = now, time.Now()
		}
		return time.Since(since) >= time.Second
	})
}

// noise is the energy of silence, of which codecs make a little.
const noise = 1e-5

// Sees waits until n new pictures have been decoded.
func (b *Browser) Sees(n float64) {
	b.t.Helper()
	b.Grows("pictures", n, frames)
}

// Shows waits until the picture on the page has changed n times: what is decoded need not be seen.
func (b *Browser) Shows(n int) {
	b.t.Helper()
	var last string
	b.Eventually("the picture on the page changes", patience, func() bool {
		shown := JS[string](b, shownPicture)
		if last != "" && shown != last {
			n--
		}
		last = shown
		return n <= 0
	})
}

// shownPicture is what the element of the other side shows, made small.
const shownPicture = `(() => {
  const canvas = new OffscreenCanvas(64, 48), context = canvas.getContext('2d')
  context.drawImage(document.querySelector('[data-testid=remote-video]'), 0, 0, 64, 48)
  return String(context.getImageData(0, 0, 64, 48).data.reduce((a, v, i) => (a * 31 + v * i) % 1000003, 7))
})()`

// Hears waits until sound has come in that is no silence.
func (b *Browser) Hears() {
	b.t.Helper()
	b.Grows("bytes of sound", 1000, audioBytes)
	b.Grows("sound", 1e-4, audioEnergy)
}

func frames(f Flow) float64      { return float64(f.Frames) }
func audioBytes(f Flow) float64  { return float64(f.AudioBytes) }
func audioEnergy(f Flow) float64 { return f.AudioEnergy }

// InCall tells whether the page shows a call: there is something to hang up.
func (b *Browser) InCall() bool {
	b.t.Helper()
	return b.Visible("hang-up")
}

// WatchPicture begins to measure how long the other person's picture stands still at a time.
func (b *Browser) WatchPicture() {
	b.t.Helper()
	JS[bool](b, "(__duet.watchPicture(), true)")
}

// PictureGap is the longest time without a new picture since WatchPicture, and the same by the clock, which differs when
// the machine was too busy for the browser to measure anything.
func (b *Browser) PictureGap() (gap, byClock time.Duration) {
	b.t.Helper()
	g := JS[struct{ Longest, Raw float64 }](b, "__duet.pictureGap()")
	ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
	return ms(g.Longest), ms(g.Raw)
}

// Online tells whether the page says that it is connected to the server.
func (b *Browser) Online() bool {
	b.t.Helper()
	return b.Visible("user-list") && b.Text("banner") == ""
}
