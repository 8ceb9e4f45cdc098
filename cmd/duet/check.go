package main

// `duet check`: tries a running server the way browsers do and says what works,
// what does not, and what to open. Run on the server it checks the parts; run
// elsewhere with the same configuration and -url it also checks the way there.

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"duet/configs"
	"duet/relay"
	"duet/turn"
)

const checkTimeout = 5 * time.Second // for each thing that is tried

func checkCommand(args, environ []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	page := flags.String("url", "", "")
	onlyTURN := flags.Bool("turn", false, "")
	insecure := flags.Bool("insecure", false, "")
	cfg, err := load(flags, args, environ)
	if err != nil {
		return err
	}
	var secrets state
	if cfg.TURN.Enabled && cfg.TURN.Secret == "" {
		if secrets, err = loadState(stateDir(cfg.StateDir, environ), newLogger(cfg.Log, stderr)); err != nil {
			return err
		}
	}
	at, err := pageToCheck(cfg, *page)
	if err != nil {
		return usageError(err.Error())
	}
	report := checkReport{w: stdout}
	if err := checkServer(context.Background(), &report, cfg, secrets, at, *onlyTURN, *insecure); err != nil {
		return err
	}
	return report.err()
}

// checkServer tries what browsers will.
func checkServer(ctx context.Context, report *checkReport, cfg configs.Config, secrets state, at *url.URL, onlyTURN, insecure bool) error {
	if !onlyTURN {
		err := checkPage(ctx, at, insecure)
		report.say(at.String(), err, "the page answers", adviceIf(err, "is the server running, and is this port open in every firewall on the way?"))
		if cfg.Relay.Mode != relay.Off {
			addr := net.JoinHostPort(at.Hostname(), portText(cfg.Relay.Listen))
			err := checkDial(ctx, addr)
			report.say("relay "+addr, err, "its TCP port is open; UDP cannot be told from here", adviceIf(err, "open "+portText(cfg.Relay.Listen)+"/tcp and "+portText(cfg.Relay.Listen)+"/udp"))
		}
	}
	if cfg.TURN.Enabled {
		username, password, err := turn.Credential(turnSecret(cfg, secrets), "check", time.Now().Add(10*time.Minute))
		if err != nil {
			return err
		}
		for _, r := range turn.Check(ctx, turn.CheckOptions{
			URLs: turnURLs(cfg, at), Username: username, Password: password, Insecure: insecure, Timeout: checkTimeout,
		}) {
			works := fmt.Sprintf("%s, sees us as %s", r.RTT.Round(10*time.Microsecond), r.Mapped)
			if r.Relayed.IsValid() {
				works = fmt.Sprintf("%s through two allocations, relays at %s", r.RTT.Round(10*time.Microsecond), r.Relayed)
			}
			report.say(r.URL, r.Err, works, r.Advice)
		}
	}
	return nil
}

// checkReport prints one line for each check, and what to do below it.
type checkReport struct {
	w           io.Writer
	all, failed int
}

// err is nil when nothing failed.
func (r *checkReport) err() error {
	if r.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d checks failed", r.failed, r.all)
}

func (r *checkReport) say(what string, err error, works, advice string) {
	r.all++
	word, said := "ok    ", works
	if err != nil {
		r.failed++
		word, said = "FAILED", err.Error()
	}
	fmt.Fprintf(r.w, "%s  %s: %s\n", word, what, said)
	if advice != "" {
		fmt.Fprintf(r.w, "        %s\n", advice)
	}
}

// note prints what works, but not as it should be left.
func (r *checkReport) note(what, said, advice string) {
	r.all++
	fmt.Fprintf(r.w, "look    %s: %s\n", what, said)
	if advice != "" {
		fmt.Fprintf(r.w, "        %s\n", advice)
	}
}

func adviceIf(err error, advice string) string {
	if err == nil {
		return ""
	}
	return advice
}

// pageToCheck is the page's URL: the one given, else the configured port on this machine.
func pageToCheck(cfg configs.Config, given string) (*url.URL, error) {
	if given == "" {
		scheme, listen := "http", cfg.HTTP.Listen
		if cfg.HTTP.TLSListen != "" {
			scheme, listen = "https", cfg.HTTP.TLSListen
		}
		host, port, err := net.SplitHostPort(listen)
		if err != nil {
			return nil, err
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "localhost"
		}
		return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}, nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("-url %q is not an address such as https://call.example.org", given)
	}
	return u, nil
}

// turnURLs are those that a browser gets which opened the page at this address.
func turnURLs(cfg configs.Config, page *url.URL) []string {
	host := page.Hostname()
	if cfg.TURN.Host != "" {
		host = cfg.TURN.Host
	}
	at := net.JoinHostPort(host, portText(cfg.TURN.Listen))
	urls := []string{"stun:" + at, "turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}
	for _, listen := range []string{cfg.HTTP.TLSListen, cfg.TURN.TLSListen} {
		if listen != "" {
			urls = append(urls, "turns:"+net.JoinHostPort(host, portText(listen))+"?transport=tcp")
		}
	}
	return urls
}

func portText(listen string) string {
	_, port, _ := net.SplitHostPort(listen)
	return port
}

func checkPage(ctx context.Context, page *url.URL, insecure bool) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page.JoinPath("healthz").String(), nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure}, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(io.LimitReader(res.Body, 100)); res.StatusCode != http.StatusOK || string(body) != "ok\n" {
		return errors.New("answers " + res.Status + ", but not as Duet does")
	}
	return nil
}

func checkDial(ctx context.Context, addr string) error {
	c, err := (&net.Dialer{Timeout: checkTimeout}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}
