//go:build linux

package e2e

// What a page says of a call that cannot connect.

import (
	"slices"
	"testing"
)

// wrongCredentials spoils the password of every TURN server that the page was given.
const wrongCredentials = `(() => {
  const Native = window.RTCPeerConnection
  const spoil = (c) => ({ ...c, iceServers: (c?.iceServers ?? []).map((s) => s.credential ? { ...s, credential: s.credential + 'x' } : s) })
  window.RTCPeerConnection = class extends Native {
    constructor(c) { super(spoil(c)) }
    setConfiguration(c) { return super.setConfiguration(spoil(c)) }
  }
})()`

// TestVerdict: a call that cannot connect says why, to each in their language. What other calls say is tried where there
// are networks to break, in internal/natlab/calls.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		code       string
		settings   []string
		query      string
		alice, bob BrowserOptions
		says       [2]string
	}{
		{
			"credentials-refused", []string{"relay.mode=off"}, "?path=turn",
			BrowserOptions{Scripts: []string{wrongCredentials}}, BrowserOptions{Scripts: []string{wrongCredentials}, Language: "zh-CN"},
			[2]string{"The TURN server refused the credentials. Its operator must look into it.", "TURN 服务器拒绝了凭据，需要管理员处理。"},
		},
		{
			"browser-blocked", []string{"relay.mode=off", "turn.enabled=false"}, "",
			BrowserOptions{Flags: map[string]any{"webrtc-ip-handling-policy": "disable_non_proxied_udp"}}, BrowserOptions{Language: "zh-CN"},
			[2]string{"Your browser forbids these connections (a setting, or an extension).", "alice 的浏览器禁止此类连接（设置或扩展程序）。"},
		},
	} {
		t.Run(tc.code, func(t *testing.T) {
			s := StartServer(t, tc.settings...)
			alice, bob := StartBrowser(t, s, "alice", tc.alice), StartBrowser(t, s, "bob", tc.bob)
			connect(alice, bob, tc.query)
			for i, b := range []*Browser{alice, bob} {
				var said []string
				b.Eventually("the page says why", patience, func() bool {
					said = JS[[]string](b, "[...document.querySelectorAll('[data-testid=notice] span')].map((e) => e.textContent)")
					return len(said) > 0
				})
				if !slices.Contains(said, tc.says[i]) {
					t.Errorf("%s is told %q, want %q", b.Name, said, tc.says[i])
				}
				b.Shot("verdict-" + tc.code + "-" + b.Name)
			}
			alice.Click("hang-up")
			bob.Eventually("the call is over", patience, func() bool { return !bob.InCall() })
		})
	}
}
