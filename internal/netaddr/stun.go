package netaddr

// This file asks a STUN server how it sees this machine (RFC 8489), for machines that do not see it themselves: behind 1:1
// NAT, as most clouds have it.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

const (
	patience = 5 * time.Second // for any answer
	grace    = time.Second     // for that of the other family
	repeat   = 250 * time.Millisecond
)

// STUNServer reads "stun:host" or "stun:host:port" (RFC 7064), which may stand where a public address does; "" if it is
// nothing of the kind.
func STUNServer(text string) (hostPort string, err error) {
	if !strings.HasPrefix(text, "stun:") {
		return "", nil
	}
	uri, err := stun.ParseURI(text)
	if err != nil || uri.Port < 1 || uri.Port > 65535 {
		return "", fmt.Errorf("%q is not a STUN server like stun:stun.example.org:3478", text)
	}
	return net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), nil
}

// FromSTUN asks the server at host:port over IPv4 and IPv6. There is an address of each family in which it answers; without
// any the error names the server.
func FromSTUN(ctx context.Context, server string) ([]Found, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer in %s", patience))
	defer cancel()
	networks := []string{"udp4", "udp6"}
	addrs, errs := make([]netip.Addr, len(networks)), make([]error, len(networks))
	var both sync.WaitGroup
	for i, network := range networks {
		both.Go(func() {
			if addrs[i], errs[i] = ask(ctx, network, server); errs[i] == nil {
				time.AfterFunc(grace, cancel)
			}
		})
	}
	both.Wait()
	var found []Found
	for _, a := range addrs {
		if a.IsValid() {
			found = append(found, Found{a, "found by STUN server " + server})
		}
	}
	if found == nil {
		return nil, fmt.Errorf("ask STUN server %s for the public address: %w; %w", server, errs[0], errs[1])
	}
	return found, nil
}

// ask sends a Binding request until it is answered.
func ask(ctx context.Context, network, server string) (netip.Addr, error) {
	none := netip.Addr{}
	c, err := new(net.Dialer).DialContext(ctx, network, server)
	if err != nil {
		return none, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return none, err
	}
	for buf := make([]byte, 1500); ; {
		if _, err := c.Write(request.Raw); err != nil {
			return none, err
		}
		c.SetReadDeadline(time.Now().Add(repeat))
		for {
			n, err := c.Read(buf)
			if ctx.Err() != nil {
				return none, fmt.Errorf("%s: %w", network, context.Cause(ctx))
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return none, err
			}
			answer := stun.Message{Raw: buf[:n]}
			var mapped stun.XORMappedAddress
			if answer.Decode() != nil || answer.TransactionID != request.TransactionID || answer.Type != stun.BindingSuccess || mapped.GetFrom(&answer) != nil {
				continue
			}
			if a, ok := netip.AddrFromSlice(mapped.IP); ok && !a.Unmap().IsUnspecified() && !a.IsMulticast() {
				return a.Unmap(), nil
			}
		}
	}
}
