package turn

// This file has coturn's own tools pass against this server. They come with Debian's package coturn, which `make test` installs.

import (
	"context"
	"crypto/tls"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCoturnsTools(t *testing.T) {
	cfg, lim := testConfig()
	cfg.TLSListen = "127.0.0.1:0"
	s, err := newServer(cfg, Deps{Secret: []byte(testSecret), TLS: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}}, lim)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	_, tlsPort, _ := net.SplitHostPort(s.tls.Addr().String())
	port := strconv.Itoa(int(s.port()))

	out, err := tool(t, "turnutils_stunclient", "-p", port, "127.0.0.1")
	if err != nil || !strings.Contains(out, "UDP reflexive addr: 127.0.0.1:") {
		t.Errorf("turnutils_stunclient: %v\n%s", err, out)
	}

	echo, addr := peer(t)
	go func() {
		for b := make([]byte, 2048); ; {
			n, from, err := echo.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			echo.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	toPeer := []string{"-e", "127.0.0.1", "-r", strconv.Itoa(int(addr.Port()))}
	user, pass := s.credentials.issue("uclient", time.Now().Add(time.Hour))
	for _, c := range []struct {
		name string
		port string
		args []string
	}{
		{"client to client over UDP, in pairs of ports", port, []string{"-y"}},
		{"client to client over TCP", port, []string{"-y", "-t", "-c"}},
		{"client to client over TLS", tlsPort, []string{"-y", "-t", "-S", "-c"}},
		{"to a peer over UDP", port, append([]string{"-c"}, toPeer...)},
		{"to a peer over UDP with indications", port, append([]string{"-c", "-s"}, toPeer...)},
		{"to a peer over TCP", port, append([]string{"-c", "-t"}, toPeer...)},
		{"to a peer over TLS with indications", tlsPort, append([]string{"-c", "-t", "-S", "-s"}, toPeer...)},
		{"with requests that nobody needs", port, append([]string{"-c", "-G"}, toPeer...)},
		{"with padded channels", port, append([]string{"-c", "-D"}, toPeer...)},
		{"with the largest messages of a call", port, append([]string{"-c", "-l", "1400"}, toPeer...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, err := tool(t, "turnutils_uclient", append(append([]string{"-u", user, "-w", pass, "-n", "20", "-m", "2", "-p", c.port}, c.args...), "127.0.0.1")...)
			got := regexp.MustCompile(`tot_send_msgs=(\d+), tot_recv_msgs=(\d+)\n`).FindAllStringSubmatch(out, -1)
			if err != nil || len(got) == 0 || got[len(got)-1][1] != got[len(got)-1][2] || got[len(got)-1][1] == "0" || !strings.Contains(out, "Total lost packets 0 (") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}
