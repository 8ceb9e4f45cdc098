package main

// `duet doctor`: what `duet check` tries, and what lies around it on this machine: the configuration, limits, buffers, the
// clock, addresses, ports, the certificate, and the proxy in front. Each line says what is, and what to do.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"duet/configs"
	"duet/internal/netaddr"
	"duet/relay"
)

const (
	wantedBuffer   = 4 << 20 // bytes that a busy UDP port asks for
	certificateDue = 14 * 24 * time.Hour
)

func doctorCommand(args, environ []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	page := flags.String("url", "", "")
	insecure := flags.Bool("insecure", false, "")
	cfg, err := load(flags, args, environ)
	if err != nil {
		return err
	}
	at, err := pageToCheck(cfg, *page)
	if err != nil {
		return usageError(err.Error())
	}
	var secrets state
	if cfg.TURN.Enabled && cfg.TURN.Secret == "" {
		if secrets, err = loadState(stateDir(cfg.StateDir, environ), newLogger(cfg.Log, stderr)); err != nil {
			return err
		}
	}
	report := checkReport{w: stdout}
	ctx := context.Background()
	for _, w := range cfg.Warnings() {
		report.note("configuration", w, "")
	}
	examineFiles(&report, cfg)
	examineBuffers(&report)
	examineClock(&report)
	examineAddresses(ctx, &report, cfg)
	examinePorts(&report, cfg)
	if at.Scheme == "https" {
		examineCertificate(ctx, &report, at, *insecure)
	}
	examineWebSocket(ctx, &report, at, *insecure)
	if err := checkServer(ctx, &report, cfg, secrets, at, false, *insecure); err != nil {
		return err
	}
	return report.err()
}

// examineFiles: each connection, stream and allocation for peers outside takes a file descriptor.
func examineFiles(report *checkReport, cfg configs.Config) {
	most, err := openFiles()
	wanted := uint64(cfg.Signaling.MaxConnections) + uint64(maxStreams)
	if cfg.TURN.Enabled {
		wanted += uint64(cfg.TURN.TotalAllocations)
	}
	switch {
	case err != nil:
		report.say("open files", err, "", "")
	case most < wanted:
		report.note("open files", fmt.Sprintf("the limit is %d; everything full takes %d", most, wanted), "for a busy server set LimitNOFILE= (systemd) or ulimit -Hn, or lower signaling.max_connections and turn.total_allocations")
	default:
		report.say("open files", nil, fmt.Sprintf("the limit is %d", most), "")
	}
}

// examineBuffers asks for what a busy port asks for.
func examineBuffers(report *checkReport) {
	got, err := receiveBuffer(wantedBuffer)
	switch {
	case err != nil:
		report.say("UDP buffers", err, "", "")
	case got < wantedBuffer:
		report.note("UDP buffers", fmt.Sprintf("%d KiB; bursts of packets want %d", got>>10, wantedBuffer>>10), fmt.Sprintf("sysctl -w net.core.rmem_max=%d net.core.wmem_max=%d, or give the program CAP_NET_ADMIN", wantedBuffer, wantedBuffer))
	default:
		report.say("UDP buffers", nil, fmt.Sprintf("%d KiB", wantedBuffer>>10), "")
	}
}

// examineClock: credentials and certificates are about time.
func examineClock(report *checkReport) {
	works, advice, err := clock()
	switch {
	case err != nil:
		report.say("clock", err, "", advice)
	case advice != "":
		report.note("clock", works, advice)
	default:
		report.say("clock", nil, works, "")
	}
}

// examineAddresses: what clients are told has to lead here from where they are.
func examineAddresses(ctx context.Context, report *checkReport, cfg configs.Config) {
	if cfg.Relay.PublicIP == "" {
		cfg.Relay.PublicIP = cfg.TURN.PublicIP
	}
	for _, part := range []struct {
		key, configured string
		on              bool
	}{
		{"turn.public_ip", cfg.TURN.PublicIP, cfg.TURN.Enabled},
		{"relay.public_ip", cfg.Relay.PublicIP, cfg.Relay.Mode != relay.Off},
	} {
		if !part.on {
			continue
		}
		found, err := publicIPs(ctx, part.key, part.configured)
		what := announced(part.configured, part.key, found)
		switch {
		case err != nil:
			report.say(part.key, err, "", "is this STUN server reachable over UDP from here?")
		case !anyPublic(part.configured, found):
			report.note(part.key, what, "nobody outside your own network can reach this: set "+part.key+" to the public address, or to stun:HOST:PORT")
		default:
			report.say(part.key, nil, what, "")
		}
	}
}

// anyPublic says whether one of the announced addresses is for everybody.
func anyPublic(configured string, found []netaddr.Found) bool {
	all := addrs(found)
	if configured != "" && !strings.HasPrefix(configured, "stun:") {
		all = nil
		for field := range strings.SplitSeq(configured, ",") {
			if a, err := netip.ParseAddr(strings.TrimSpace(field)); err == nil {
				all = append(all, a)
			}
		}
	}
	for _, a := range all {
		if !inNetwork(a) {
			return true
		}
	}
	return false
}

// inNetwork: an address that means something inside a network only.
func inNetwork(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

// examinePorts: may the ports be opened, or has somebody opened them?
func examinePorts(report *checkReport, cfg configs.Config) {
	for _, port := range []struct {
		key, listen string
		on          bool
	}{
		{"http.listen", cfg.HTTP.Listen, true},
		{"http.tls_listen", cfg.HTTP.TLSListen, true},
		{"http.admin_listen", cfg.HTTP.AdminListen, true},
		{"turn.listen", cfg.TURN.Listen, cfg.TURN.Enabled},
		{"turn.tls_listen", cfg.TURN.TLSListen, cfg.TURN.Enabled},
		{"relay.listen", cfg.Relay.Listen, cfg.Relay.Mode != relay.Off && !cfg.SharedPort()},
	} {
		if !port.on || port.listen == "" || portText(port.listen) == "0" {
			continue
		}
		l, err := net.Listen("tcp", port.listen)
		switch {
		case err == nil:
			l.Close()
			report.note(port.key, port.listen+" is free", "nothing listens there yet: is the server running on this machine, with this configuration?")
		case errors.Is(err, syscall.EADDRINUSE):
			report.say(port.key, nil, port.listen+" is in use, as it should be while the server runs", "")
		case errors.Is(err, syscall.EACCES):
			report.say(port.key, err, "", "ports below 1024 need CAP_NET_BIND_SERVICE")
		default:
			report.say(port.key, err, "", "is this an address of this machine?")
		}
	}
}

// examineCertificate looks at what browsers are shown.
func examineCertificate(ctx context.Context, report *checkReport, at *url.URL, insecure bool) {
	what := "certificate of " + at.Hostname()
	port := at.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // verified below, where more can be said of it
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(at.Hostname(), port))
	if err != nil {
		report.say(what, err, "", "is the server running, and is this port open?")
		return
	}
	defer conn.Close()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	left := time.Until(chain[0].NotAfter)
	until := fmt.Sprintf("valid until %s, %d days", chain[0].NotAfter.Format(time.DateOnly), int(left.Hours()/24))
	switch _, err := chain[0].Verify(x509.VerifyOptions{DNSName: at.Hostname(), Intermediates: between}); {
	case err != nil && insecure:
		report.note(what, until+"; "+err.Error(), "browsers will warn")
	case err != nil:
		report.say(what, err, "", "browsers will not trust it: it has to be signed for "+at.Hostname()+", with the certificates in between in http.tls_cert")
	case left < certificateDue:
		report.note(what, until, "renew it; with http.tls_cert the new files are taken up by themselves")
	default:
		report.say(what, nil, until, "")
	}
}

// examineWebSocket joins as a page of this address would: proxies pass pages on and break this.
func examineWebSocket(ctx context.Context, report *checkReport, at *url.URL, insecure bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	ws := at.JoinPath("ws")
	what := "WebSocket " + ws.String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ws.String(), nil)
	if err != nil {
		report.say(what, err, "", "")
		return
	}
	for name, value := range map[string]string{
		"Origin": at.Scheme + "://" + at.Host, "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "ZHVldCBkb2N0b3Igc2F5cw==",
	} {
		req.Header.Set(name, value)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure, NextProtos: []string{"http/1.1"}}, DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		report.say(what, err, "", "is the server running, and is this port open?")
		return
	}
	defer res.Body.Close()
	advice := map[int]string{
		http.StatusForbidden:       "the page is taken for another site's: let the proxy pass on Host, or X-Forwarded-Host from signaling.trusted_proxies, or name the page in http.allowed_origins",
		http.StatusUpgradeRequired: "the proxy does not pass WebSockets on: Upgrade and Connection, over HTTP/1.1",
		http.StatusNotFound:        "this path does not lead to Duet: the proxy has to pass on what is below the page's path",
		http.StatusTooManyRequests: "this address has too many connections: behind a proxy, is it in signaling.trusted_proxies?",
		http.StatusBadGateway:      "the proxy does not reach Duet",
	}[res.StatusCode]
	if res.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New("answers " + res.Status)
	}
	report.say(what, err, "a page from there may connect", advice)
}
