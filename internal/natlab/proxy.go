//go:build linux

// An HTTP CONNECT proxy on a router, for networks where it is the only way out.

package natlab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Proxy starts an HTTP CONNECT proxy on the router and returns its address. It knows the Lab's names, and no port but 443.
func (n *Network) Proxy() netip.AddrPort {
	n.lab.t.Helper()
	addr := netip.AddrPortFrom(n.Gateway(), 3128)
	ln, err := listenIn(n.router, addr.String())
	n.lab.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var tunnels sync.WaitGroup
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
			return
		}
		if !strings.HasSuffix(r.Host, ":443") {
			http.Error(w, "port 443 only", http.StatusForbidden) // as proxies are set up since they can be abused
			return
		}
		dial, cancelDial := context.WithTimeout(ctx, 5*time.Second)
		defer cancelDial()
		out, err := n.dialName(dial, r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		in, early, err := w.(http.Hijacker).Hijack()
		if err != nil {
			out.Close()
			return
		}
		_, _ = io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n") // a dead client ends the copying
		stop := context.AfterFunc(ctx, func() { in.Close(); out.Close() })
		tunnels.Add(2)
		pipe := func(to io.Writer, from io.Reader) {
			defer tunnels.Done()
			_, _ = io.Copy(to, from) // either end may go at any time
			in.Close()
			out.Close()
			stop()
		}
		go pipe(out, early) // it may hold what came with the request
		go pipe(in, out)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	n.lab.closes = append(n.lab.closes, func() error {
		cancel()
		err := srv.Close()
		<-served
		tunnels.Wait()
		return err
	})
	return addr
}

// dialName connects from the router to a name of the Lab, or an address, and a port.
func (n *Network) dialName(ctx context.Context, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	host = strings.TrimSuffix(host, ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return dialIn(ctx, n.router, "tcp", net.JoinHostPort(a.String(), port))
	}
	err = fmt.Errorf("no such host: %s", host)
	for line := range strings.Lines(n.lab.known[host]) {
		a, _, _ := strings.Cut(line, " ")
		var c net.Conn
		if c, err = dialIn(ctx, n.router, "tcp", net.JoinHostPort(a, port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}
