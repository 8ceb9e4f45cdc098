//go:build linux

// Links: the cable between a host and its router, and all that can be wrong with it.

package natlab

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
)

// A Link is a host's connection to one network.
type Link struct {
	host *Host
	net  *Network
	dev  string // in the host
	port string // in the router
	peer string // what the host's device is plugged into: the port, or the box's side of it
	at   namespace

	v4, v6  netip.Addr
	public  netip.Addr // of a 1:1 NAT
	box     *box       // nil without WithDelay
	shape   [2]Impairment
	cut     [2]bool
	station int
}

// A Direction of traffic, seen from the host.
type Direction int

const (
	Up Direction = iota
	Down
)

// Impairment is what one direction of a link does to packets. The zero value does nothing.
type Impairment struct {
	Loss   float64       // percent
	Rate   int           // kbit/s; 0 is unlimited
	Queue  time.Duration // how much the queue before the rate limit holds, at that rate; 0 means 300 ms
	Delay  time.Duration // needs a link made WithDelay
	Jitter time.Duration // up to so much more, at random; packets keep their order
}

// LinkOption changes how a link is made.
type LinkOption func(*Link)

// WithDelay puts a box into the link that can delay packets. It costs a copy of every packet in this process.
func WithDelay() LinkOption { return func(l *Link) { l.box = &box{} } }

// attach plugs the host into a network, without using it yet.
func (h *Host) attach(n *Network, opts []LinkOption) *Link {
	h.lab.t.Helper()
	n.stations++
	l := &Link{host: h, net: n, dev: fmt.Sprintf("eth%d", len(h.uplinks)), port: fmt.Sprintf("p%d", n.stations), station: n.stations}
	for _, o := range opts {
		o(l)
	}
	l.v4, l.v6 = n.station(l.station)
	if l.box == nil {
		l.peer, l.at = l.port, n.router
		h.lab.must(n.router.ip(fmt.Sprintf("link add %s gso_max_segs 1 type veth peer name %s gso_max_segs 1 netns %s", l.port, l.dev, h.ns)))
	} else {
		l.peer, l.at = "outer", h.lab.namespace(fmt.Sprintf("box%d-%s", len(h.uplinks), h.Name))
		h.lab.must(l.at.sysctl("ipv6/conf/all/disable_ipv6", "1", "ipv6/conf/default/disable_ipv6", "1"))
		h.lab.must(n.router.ip(fmt.Sprintf("link add %s gso_max_segs 1 type veth peer name inner gso_max_segs 1 netns %s", l.port, l.at)))
		h.lab.must(l.at.ip(
			fmt.Sprintf("link add outer gso_max_segs 1 type veth peer name %s gso_max_segs 1 netns %s", l.dev, h.ns),
			"link set inner up", "link set outer up"))
		h.lab.must(l.box.start(l.at))
		h.lab.closes = append(h.lab.closes, l.box.close)
	}
	h.lab.must(n.router.ip(fmt.Sprintf("link set %s up", l.port)))
	h.lab.must(h.ns.ip(fmt.Sprintf("link set %s up", l.dev)))
	n.plug(l.port)
	h.lab.must(h.ns.running(l.dev))
	if n.NAT == OneToOne {
		l.public = n.forwardOneToOne(l.v4)
	}
	h.uplinks = append(h.uplinks, l)
	return l
}

// up gives the host its addresses and makes the link its way to the internet.
func (l *Link) up() error {
	var lines []string
	if l.v4.IsValid() {
		lines = append(lines,
			fmt.Sprintf("addr replace %s/%d dev %s", l.v4, l.net.lan4.Bits(), l.dev),
			fmt.Sprintf("route replace default via %s dev %s", l.net.lan4.Addr(), l.dev))
	}
	if l.v6.IsValid() {
		lines = append(lines,
			fmt.Sprintf("addr replace %s/64 dev %s nodad", l.v6, l.dev),
			fmt.Sprintf("route replace default via %s dev %s", l.net.lan6.Addr(), l.dev))
	}
	return l.host.ns.ip(lines...)
}

// Impair replaces what one direction does to packets.
func (l *Link) Impair(d Direction, i Impairment) {
	l.host.lab.t.Helper()
	if (i.Delay > 0 || i.Jitter > 0) && l.box == nil {
		l.host.lab.t.Fatalf("natlab: a link delays only when made WithDelay")
	}
	was := l.shape[d]
	l.shape[d] = i
	if l.box != nil {
		l.box.set(d, i.Delay, i.Jitter)
	}
	if was.Loss != i.Loss {
		l.host.lab.must(l.loadDrops())
	}
	if was.Rate != i.Rate || was.Queue != i.Queue {
		l.host.lab.must(l.loadRate(d, was.Rate > 0))
	}
}

// ImpairBoth does the same to both directions.
func (l *Link) ImpairBoth(i Impairment) {
	l.host.lab.t.Helper()
	l.Impair(Up, i)
	l.Impair(Down, i)
}

// Cut lets nothing through in one direction, while the link looks alive, or heals that.
func (l *Link) Cut(d Direction, on bool) {
	l.host.lab.t.Helper()
	l.cut[d] = on
	l.host.lab.must(l.loadDrops())
}

// Silence cuts both directions, or heals both.
func (l *Link) Silence(on bool) {
	l.host.lab.t.Helper()
	l.cut = [2]bool{on, on}
	l.host.lab.must(l.loadDrops())
}

// Carrier pulls the plug or puts it back. The host sees it; its addresses and routes stay.
func (l *Link) Carrier(on bool) {
	l.host.lab.t.Helper()
	l.host.lab.must(l.at.ip(fmt.Sprintf("link set %s %s", l.peer, map[bool]string{true: "up", false: "down"}[on])))
}

// loadDrops loads loss and cuts into the router's side of the link, below IP, where ARP is left alone unless it is cut.
func (l *Link) loadDrops() error {
	table := "netdev drops_" + l.port
	var b strings.Builder
	fmt.Fprintf(&b, "table %s\ndelete table %s\ntable %s {\n", table, table, table)
	for d, hook := range [2]string{Up: "ingress", Down: "egress"} {
		fmt.Fprintf(&b, " chain %s {\n  type filter hook %s device \"%s\" priority 0; policy accept;\n", hook, hook, l.port)
		switch n := int(math.Round(l.shape[d].Loss * 1000)); {
		case l.cut[d] || n >= 100_000: // nftables wants the number below the modulus
			b.WriteString("  drop\n")
		case n > 0:
			fmt.Fprintf(&b, "  meta protocol { ip, ip6 } numgen random mod 100000 < %d drop\n", n)
		}
		b.WriteString(" }\n")
	}
	b.WriteString("}\n")
	return l.net.router.nft(b.String())
}

// loadRate puts a token bucket with a long queue, a bufferbloat, where the direction's packets leave.
func (l *Link) loadRate(d Direction, had bool) error {
	ns, dev := l.host.ns, l.dev
	if d == Down {
		ns, dev = l.net.router, l.port
	}
	i := l.shape[d]
	if i.Rate == 0 {
		if !had {
			return nil
		}
		return ns.run("", "tc", "qdisc", "del", "dev", dev, "root")
	}
	queue := i.Queue
	if queue == 0 {
		queue = 300 * time.Millisecond
	}
	return ns.run("", "tc", "qdisc", "replace", "dev", dev, "root", "tbf",
		"rate", fmt.Sprintf("%dkbit", i.Rate), "burst", "5000", "latency", fmt.Sprintf("%dms", queue.Milliseconds()))
}

// Renumber gives the host another IPv4 address on the same LAN in place of its old one, as a new lease does.
func (h *Host) Renumber() {
	h.lab.t.Helper()
	l := h.Link()
	old := l.v4
	l.net.stations++
	l.v4, _ = l.net.station(l.net.stations)
	if l.net.NAT == OneToOne {
		l.public = l.net.forwardOneToOne(l.v4)
	}
	h.lab.must(h.ns.ip(fmt.Sprintf("addr del %s/%d dev %s", old, l.net.lan4.Bits(), l.dev)))
	h.lab.must(l.up())
}

// Roam moves the host to another network, as a phone that leaves the house: the new uplink comes up and takes the
// default route, then the old one loses its carrier and its addresses.
func (h *Host) Roam(to *Network, opts ...LinkOption) {
	h.lab.t.Helper()
	old := h.Link()
	if to.family()&V6 != 0 && old.net.family()&V6 == 0 {
		h.lab.must(h.ns.sysctl("ipv6/conf/all/disable_ipv6", "0", "ipv6/conf/default/disable_ipv6", "0"))
	}
	h.lab.must(h.attach(to, opts).up())
	old.Carrier(false)
	h.lab.must(h.ns.ip("addr flush dev " + old.dev))
}
