//go:build linux

// Hosts: sockets for this process and programs of their own, inside.

package natlab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A Host is a machine on a LAN.
type Host struct {
	Name string

	lab     *Lab
	ns      namespace
	uplinks []*Link // the last one made is the one in use
	names   map[string]string
}

// Host connects a new machine to the network.
func (n *Network) Host(name string, opts ...LinkOption) *Host {
	n.lab.t.Helper()
	h := &Host{Name: name, lab: n.lab, ns: n.lab.namespace(name)}
	h.lab.must(h.ns.ip("link set lo up"))
	if n.family()&V6 == 0 {
		h.lab.must(h.ns.sysctl("ipv6/conf/all/disable_ipv6", "1", "ipv6/conf/default/disable_ipv6", "1"))
	}
	h.lab.must(os.MkdirAll(h.ns.etc(), 0o755))
	// A name server that refuses at once: one that cannot be reached would make every unknown name a long wait.
	h.lab.must(os.WriteFile(filepath.Join(h.ns.etc(), "resolv.conf"), []byte("nameserver 127.0.0.1\n"), 0o644))
	h.lab.must(h.writeHosts())
	h.lab.hosts = append(h.lab.hosts, h)
	h.lab.must(h.attach(n, opts).up())
	return h
}

// Link is the uplink in use.
func (h *Host) Link() *Link { return h.uplinks[len(h.uplinks)-1] }

// Addr is the host's IPv4 address on its LAN; invalid where there is none.
func (h *Host) Addr() netip.Addr { return h.Link().v4 }

// Addr6 is the host's IPv6 address; invalid where there is none.
func (h *Host) Addr6() netip.Addr { return h.Link().v6 }

// Public is the IPv4 address under which the internet can reach the host: its own, or that of a 1:1 NAT. Behind other
// NATs it is what the internet sees.
func (h *Host) Public() netip.Addr {
	l := h.Link()
	if l.public.IsValid() {
		return l.public
	}
	if l.net.NAT == NoNAT {
		return l.v4
	}
	outer := l.net
	for outer.behind != nil {
		outer = outer.behind
	}
	return outer.wan4
}

// AddAddr gives the host another IPv4 address on its LAN.
func (h *Host) AddAddr() netip.Addr {
	h.lab.t.Helper()
	l := h.Link()
	l.net.stations++
	a, _ := l.net.station(l.net.stations)
	h.lab.must(h.ns.ip(fmt.Sprintf("addr add %s/%d dev %s", a, l.net.lan4.Bits(), l.dev)))
	return a
}

// Override makes a name known in this host alone, instead of what Lab.Name says.
func (h *Host) Override(name string, addrs ...netip.Addr) {
	h.lab.t.Helper()
	if h.names == nil {
		h.names = make(map[string]string)
	}
	var lines strings.Builder
	for _, a := range addrs {
		fmt.Fprintf(&lines, "%s %s %s.\n", a, name, name)
	}
	h.names[name] = lines.String()
	h.lab.must(h.writeHosts())
}

func (h *Host) writeHosts() error {
	text := "127.0.0.1 localhost\n"
	for name, lines := range h.lab.known {
		if _, own := h.names[name]; !own {
			text += lines
		}
	}
	for _, lines := range h.names {
		text += lines
	}
	// In place: the file is mounted into the programs that run already.
	return os.WriteFile(filepath.Join(h.ns.etc(), "hosts"), []byte(text), 0o644)
}

// Command is a program to run in the host, where names are those of the Lab. It ends with the process that starts it;
// what it leaves running ends with the Lab.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", string(h.ns), name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Do runs fn on a thread inside the host: sockets that fn opens and programs that it starts are the host's.
func (h *Host) Do(fn func() error) error { return h.ns.do(fn) }

// ListenUDP opens a UDP socket in the host, at an address such as ":0".
func (h *Host) ListenUDP(addr string) (*net.UDPConn, error) {
	var c *net.UDPConn
	err := h.ns.do(func() error {
		a, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			return err
		}
		c, err = net.ListenUDP("udp", a)
		return err
	})
	return c, err
}

// Listen opens a TCP listener in the host.
func (h *Host) Listen(addr string) (net.Listener, error) { return listenIn(h.ns, addr) }

// Dial connects from the host to an IP address and port; names are not resolved.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return dialIn(ctx, h.ns, network, addr)
}

func listenIn(ns namespace, addr string) (net.Listener, error) {
	var ln net.Listener
	err := ns.do(func() (err error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false)
		ln, err = lc.Listen(context.Background(), "tcp", addr)
		return err
	})
	return ln, err
}

func dialIn(ctx context.Context, ns namespace, network, addr string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	var c net.Conn
	err := ns.do(func() (err error) {
		var d net.Dialer
		c, err = d.DialContext(ctx, network, addr)
		return err
	})
	return c, err
}
