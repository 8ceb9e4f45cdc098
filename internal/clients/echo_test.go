//go:build linux

package clients

// The echo user, called by a client of one connection and by the page.

import (
	"os"
	"strings"
	"testing"

	"duet/internal/e2e"
)

func TestEcho(t *testing.T) {
	if !canMakeHomes() {
		t.Skip("needs root, or a kernel that lets users make network namespaces")
	}
	modes := []string{"fallback", "always"}
	if os.Getenv("DUET_TEST_ALL") == "" {
		modes = modes[:1]
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			s := e2e.StartServer(t, "signaling.echo=Echo", "relay.mode="+mode)
			h := newHome(t, 3)
			o := options{Path: "direct", Media: "both"}
			c := process(t, "Robot", ".", []string{built(t, "duet/internal/clients/pion")}, s, h, o)
			page := e2e.StartBrowser(t, s, "Page", e2e.BrowserOptions{Wrap: h.wrap})
			page.Open("")
			page.Login("camera")
			c.do("call echo")
			page.Call("Echo")
			until(t, patience, "the client hears and sees itself", func() bool { st := c.status(); return st.Audio > 50 && st.Video > 10 })
			page.Sees(20)
			page.Shows(5)
			page.Hears()
			until(t, patience, "the page is in a call", func() bool { return strings.HasPrefix(page.Text("status"), "In a call") })
			page.Shot("echo-" + mode)

			// What is off does not come back, and is said to be off.
			page.Click("toggle-video")
			page.Stops("pictures", func(f e2e.Flow) float64 { return float64(f.Frames) })
			page.Click("toggle-video")
			page.Sees(5)
			c.do("mute audio")
			until(t, patience, "the state comes back", func() bool { return !c.status().Peer.Audio })

			page.Click("hang-up")
			c.do("end")
			until(t, patience, "the page's call is over", func() bool { return !page.InCall() })
			if st := c.status(); st.Error != "" {
				t.Errorf("the client was told of an error: %s", st.Error)
			}
		})
	}
}
