//go:build linux

package clients

// The clients, and the table of what comes of them.

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"duet/internal/e2e"
)

// A column is a client.
type column struct {
	name    string
	version string
	command []string // in the folder drivers; none for a browser
	browser func(testing.TB, *e2e.Server, string, e2e.BrowserOptions) *e2e.Browser
	beside  bool              // it is led by TCP from here, so that it cannot be in a home
	quick   bool              // make test has it, too
	cannot  map[string]string // rows, by a part of their name, and why its library cannot
}

func columns(t testing.TB) []column {
	const (
		noTCP     = "libjuice has TURN over UDP only"
		noRestart = "the library cannot restart ICE"
	)
	return []column{
		{name: "pion", version: "4.2.26", command: []string{built(t, "duet/internal/clients/pion")}},
		{name: "werift", version: "0.25.2", command: []string{"node", "werift.mjs"}, quick: true},
		{name: "aiortc", version: "1.4.0", command: []string{"/usr/bin/python3", "aiortc_client.py"}, quick: true, cannot: map[string]string{
			"address changes": noRestart + " (it answers with its old ufrag and password)",
		}},
		{name: "webrtcbin", version: "GStreamer 1.22, libnice 0.1.21", command: []string{"/usr/bin/python3", "webrtcbin.py"}, quick: true, cannot: map[string]string{
			"TURN over TLS": "libnice's TURN over TLS is none",
		}},
		{name: "node-datachannel", version: "0.33.4, libdatachannel 0.24.5", command: []string{"node", "ndc.mjs"}, quick: true, cannot: map[string]string{
			"TURN over TCP": noTCP, "TURN over TLS": noTCP, "address changes": noRestart + " (it refuses the offer)",
		}},
		{name: "wrtc", version: "@roamhq/wrtc 0.10.0, libwebrtc", command: []string{"node", "wrtc.mjs"}, cannot: map[string]string{
			"TURN over TLS": "it trusts no certificate authority of one's own",
		}},
		{name: "simple-peer", version: "9.11.1, on @roamhq/wrtc", command: []string{"node", "simplepeer.mjs"}, cannot: map[string]string{
			"TURN over TLS": "it trusts no certificate authority of one's own",
		}},
		{name: "Chromium", version: "Debian's", browser: e2e.StartBrowser},
		{name: "Firefox", version: "Debian's ESR", browser: e2e.StartFirefox, beside: true},
	}
}

// A path is a part of the table.
type path struct {
	name     string
	option   string // the client's
	page     string // the page's query
	scripts  []string
	settings []string
	rows     []situation
}

func paths() []path {
	return []path{
		{name: "direct", option: "direct", rows: situations},
		{name: "TURN over UDP at both ends, nothing else", option: "udp", page: "?path=turn", scripts: []string{onlyTURN("udp")}, rows: append(calls[:len(calls):len(calls)], long)},
		{name: "TURN over TCP at both ends, nothing else", option: "tcp", page: "?path=turn", scripts: []string{onlyTURN("tcp")}, rows: calls},
		{name: "TURN over TLS at the client, over UDP at the page, nothing else", option: "tls", page: "?path=turn", scripts: []string{onlyTURN("udp")},
			settings: []string{"http.tls_listen={tls}", "http.self_signed=true"}, rows: calls},
		{name: "the relay", option: "direct", settings: []string{"relay.mode=always"}, rows: calls},
	}
}

// TestClients tries each client on each path in each situation, and holds docs/clients.md true: what it calls good must be
// so. With DUET_TEST_WRITE=1 it writes what it has found. make test has each family of clients call directly.
func TestClients(t *testing.T) {
	if !canMakeHomes() {
		t.Skip("needs root, or a kernel that lets users make network namespaces")
	}
	columns := columns(t)
	table := readTable(t, columns)
	drivers := withModules(t, "drivers")
	all := os.Getenv("DUET_TEST_ALL") != ""
	for _, c := range columns {
		for _, p := range paths() {
			rows := p.rows
			if !all {
				rows = slices.DeleteFunc(slices.Clone(rows), func(s situation) bool { return !s.quick || !c.quick || p.name != "direct" })
			}
			if len(rows) == 0 {
				continue
			}
			t.Run(c.name+"/"+p.name, func(t *testing.T) {
				w := &work{t: &attempt{TB: t}, column: c, path: p, drivers: drivers, table: table}
				w.run(t, rows)
			})
		}
	}
}

// work is one client on one path.
type work struct {
	t       *attempt
	column  column
	path    path
	drivers string
	table   *table

	lab   *lab   // nil: the next row begins one
	media string // of it
}

func (w *work) run(t *testing.T, rows []situation) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { w.try(t, row) })
	}
	w.t.clear()
}

// try has one row tried, and notes what comes of it.
func (w *work) try(t *testing.T, row situation) {
	c := cell{sign: "–"}
	var cannot bool
	if c.why, cannot = w.cannot(row); !cannot {
		if fault := w.prepare(row); fault != "" {
			t.Fatal(fault) // says nothing of the client
		}
		c = w.attempt(row)
	}
	t.Logf("%s %s", c.sign, c.why)
	w.table.set(t, w.path.name, row.name, w.column.name, c)
}

// prepare has a lab ready for a row.
func (w *work) prepare(row situation) string {
	if w.lab != nil && w.media == row.media {
		return ""
	}
	w.t.clear()
	w.lab, w.media = nil, row.media
	return w.t.try(func() { w.lab = w.begin(row) })
}

func (w *work) attempt(row situation) cell {
	told := ""
	fault := w.t.try(func() { told = row.run(w.lab) })
	if fault == "" && !row.ends {
		fault = w.t.try(w.lab.over)
	}
	if fault != "" || row.ends {
		if more := w.t.clear(); fault == "" {
			fault = more
		}
		w.lab = nil
	}
	return found(fault, told)
}

// found is a cell for what was tried.
func found(fault, told string) cell {
	if fault != "" {
		return cell{"no", strings.Join(strings.Fields(fault), " ")}
	}
	return cell{"ok", told}
}

// cannot tells what a client's library is known not to do.
func (w *work) cannot(row situation) (why string, cannot bool) {
	if row.needs == "process" && w.column.browser != nil {
		return "not tried with a browser", true
	}
	for _, part := range slices.Sorted(maps.Keys(w.column.cannot)) {
		if strings.Contains(w.path.name+": "+row.name, part) {
			return w.column.cannot[part], true
		}
	}
	return "", false
}

// begin starts a server, the page and the client.
func (w *work) begin(row situation) *lab {
	w.t.Helper()
	l := &lab{t: w.t}
	l.homes = [2]*home{newHome(w.t, 1), newHome(w.t, 2)}
	l.server = e2e.StartServer(w.t, append([]string{"turn.public_ip=" + e2e.Host(), "relay.mode=fallback"}, w.path.settings...)...)
	o := options{Path: w.path.option, Media: row.media, Relay: w.path.name == "the relay"}
	if o.Media == "" {
		o.Media = "both"
	}
	if o.Path == "tls" {
		o.cert, _ = certificate(w.t, l.server)
	}
	l.page = e2e.StartBrowser(w.t, l.server, "Page", e2e.BrowserOptions{Scripts: w.path.scripts, Wrap: l.homes[0].wrap})
	l.page.Open(w.path.page)
	l.page.Login("camera")
	if w.column.browser != nil {
		at := l.homes[1]
		if w.column.beside {
			at = nil
		}
		l.client = stock(w.t, "Client", l.server, at, o, w.column.browser)
	} else {
		l.client = process(w.t, "Client", w.drivers, w.column.command, l.server, l.homes[1], o)
	}
	return l
}

// over ends what a situation has left of a call.
func (l *lab) over() {
	l.t.Helper()
	if l.page.InCall() {
		l.page.Click("hang-up")
	}
	l.idle()
}
