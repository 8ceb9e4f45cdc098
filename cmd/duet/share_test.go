package main

// TURN and the relay on one port, with clients on real sockets.

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pionturn "github.com/pion/turn/v3"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/prometheus/client_golang/prometheus"

	"duet/configs"
	"duet/internal/metrics"
	"duet/relay"
	"duet/turn"
)

// patience bounds every wait; nothing waits this long when it works.
const patience = 20 * time.Second

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// sharedPort runs TURN and the relay on one port of loopback.
func sharedPort(t *testing.T, listeners int) (m mediaParts, registry *prometheus.Registry, addr string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = free.Addr().String()
	free.Close()
	cfg := configs.Default()
	cfg.TURN.Listen, cfg.Relay.Listen = addr, addr
	cfg.TURN.Listeners, cfg.TURN.PublicIP, cfg.Relay.PublicIP = listeners, "127.0.0.1", "127.0.0.1"
	cfg.TURN.Permissions, cfg.TURN.UnauthenticatedPerIP = "public", 10_000
	cfg.TURN.Users = map[string]string{"alice": "wonder"}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	registry = metrics.New("test")
	var p parts
	m, err = p.openMedia(cfg, func(l net.Listener) net.Listener { return l }, turn.Deps{Log: quiet(), Metrics: registry, Secret: []byte("a secret for tests")}, relay.Deps{Log: quiet(), Metrics: registry})
	if err != nil {
		p.close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- p.run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }, time.Second)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	return m, registry, addr
}

// allocation is a client of TURN over UDP, with a relayed address.
type allocation struct {
	net.PacketConn
	heard atomic.Int64
}

func allocate(t *testing.T, addr string) *allocation {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := pionturn.NewClient(&pionturn.ClientConfig{
		STUNServerAddr: addr, TURNServerAddr: addr, Conn: conn, Username: "alice", Password: "wonder",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); conn.Close() })
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	if mapped, err := client.SendBindingRequest(); err != nil || mapped.String() != conn.LocalAddr().String() {
		t.Errorf("a Binding: %v, %v, want %v", mapped, err, conn.LocalAddr())
	}
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	a := &allocation{PacketConn: relayed}
	t.Cleanup(func() { relayed.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			if _, _, err := relayed.ReadFrom(b); err != nil {
				return
			}
			a.heard.Add(1)
		}
	}()
	return a
}

// end is one end of a relayed call.
type end struct {
	pc    *webrtc.PeerConnection
	track *webrtc.TrackLocalStaticSample
	heard atomic.Int64
}

func (e *end) send(t *testing.T) {
	if err := e.track.WriteSample(media.Sample{Data: []byte("a"), Duration: 20 * time.Millisecond}); err != nil {
		t.Error(err)
	}
}

// relayed connects two ends through the relay, over network.
func relayed(t *testing.T, m mediaParts, call string, network webrtc.NetworkType) (ends [2]*end) {
	t.Helper()
	told := map[string]chan [2]string{"party 0": make(chan [2]string, 2), "party 1": make(chan [2]string, 2)}
	err := m.relay.Reserve(call, [2]string{"party 0", "party 1"}, [2]netip.Addr{}, func(event, user, detail string) {
		if user != "" {
			told[user] <- [2]string{event, detail}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 2)
	for i := range ends {
		set := webrtc.SettingEngine{}
		set.SetIncludeLoopbackCandidate(true)
		set.SetNetworkTypes([]webrtc.NetworkType{network})
		pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(set)).NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pc.Close() })
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "s")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pc.AddTrack(track); err != nil {
			t.Fatal(err)
		}
		e := &end{pc: pc, track: track}
		pc.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			for {
				if _, _, err := remote.ReadRTP(); err != nil {
					return
				}
				e.heard.Add(1)
			}
		})
		ends[i] = e
		party := fmt.Sprint("party ", i)
		go func() { failed <- e.negotiate(m, call, party, told[party]) }()
	}
	for range ends {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	return ends
}

func (e *end) negotiate(m mediaParts, call, party string, told <-chan [2]string) error {
	offer, err := e.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err := e.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	if err := m.relay.Offer(call, party, offer.SDP); err != nil {
		return err
	}
	select {
	case got := <-told:
		if got[0] != relay.Answered {
			return fmt.Errorf("the offer was %s: %s", got[0], got[1])
		}
		return e.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: got[1]})
	case <-time.After(patience):
		return errors.New("no answer")
	}
}

// counted is a metric, or the sum of all those that a label tells apart, or of the one where the label has this value.
func counted(t *testing.T, registry *prometheus.Registry, name, label string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, metric := range f.Metric {
			if label == "" || metric.Label[0].GetValue() == label {
				sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestTURNAndTheRelayShareAPort(t *testing.T) {
	for _, listeners := range []int{1, 3} {
		t.Run(fmt.Sprint(listeners, " TURN sockets"), func(t *testing.T) {
			m, registry, addr := sharedPort(t, listeners)
			var pairs [][2]*allocation // several, so that all sockets of TURN's have some
			for range 4 {
				pairs = append(pairs, [2]*allocation{allocate(t, addr), allocate(t, addr)})
			}
			ends := relayed(t, m, "c_1", webrtc.NetworkTypeUDP4)
			until(t, "packets both ways of all", func() bool {
				done := true
				for i := range 2 {
					ends[i].send(t)
					done = done && ends[i].heard.Load() > 50
					for _, p := range pairs {
						if _, err := p[i].WriteTo([]byte("across"), p[1-i].LocalAddr()); err != nil {
							t.Fatal(err)
						}
						done = done && p[i].heard.Load() > 50
					}
				}
				return done
			})
			if n := counted(t, registry, "duet_relay_legs", "plane"); n != 2 {
				t.Errorf("%v legs on the plane, want 2", n)
			}
			junkGoesNowhere(t, registry, addr)
			heard := ends[1].heard.Load()
			until(t, "the call after the junk", func() bool { ends[0].send(t); return ends[1].heard.Load() > heard+10 })
		})
	}
}

// junkGoesNowhere: what belongs to neither is counted as dropped, and nothing comes back.
func junkGoesNowhere(t *testing.T, registry *prometheus.Registry, addr string) {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	header := "\x21\x12\xa4\x42abcdefghijkl"
	junk := []string{
		"\x80\x60\x00\x01aaaabbbbcccc", "\x80\xc8\x00\x01aaaa", // RTP and RTCP of nobody
		"\x16\xfe\xfd" + strings.Repeat("d", 40),                          // DTLS of nobody
		"\x00\x01\x00\x0c" + header + "\x00\x06\x00\x05no:pe\x00\x00\x00", // a check for nobody
		"\x40\x00\x00\x04data", "\x4f\xff\x00\x00",                        // channels of nobody
		"\x01\x01\x00\x00" + header, "\x00\x11\x00\x00" + header, // an answer, an indication
		"\x00\x01\x00\x08" + header + "\x00\x06\xff\xffaaaa", "\x00\x01", "\x00\x01\x00\x00abcd", // broken
		"\x05\x05\x05\x05", "\xff\xff\xff\xff", "\x3f",
	}
	dropped := func() float64 {
		return counted(t, registry, "duet_relay_dropped_total", "") + counted(t, registry, "duet_turn_drops_total", "")
	}
	before := dropped()
	for _, b := range junk {
		if _, err := conn.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the junk to be dropped", func() bool { return dropped() >= before+float64(len(junk)-1) }) // an indication of Binding is none
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	b := make([]byte, 1500)
	if n, err := conn.Read(b); err == nil {
		t.Errorf("junk was answered: %x", b[:n])
	}
}

// The relay can be reached through TURN; TURN, which has the same port, cannot.
func TestNoTURNWithinTURN(t *testing.T) {
	_, registry, addr := sharedPort(t, 1)
	a := allocate(t, addr)
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	header := "\x21\x12\xa4\x42abcdefghijkl"
	for _, payload := range []string{"\x00\x03\x00\x08" + header + "\x00\x19\x00\x04\x11\x00\x00\x00", "\x40\x00\x00\x04data"} {
		before := counted(t, registry, "duet_turn_drops_total", "forbidden peer")
		if _, err := a.WriteTo([]byte(payload), to); err != nil {
			t.Fatal(err)
		}
		until(t, "the payload to be refused", func() bool { return counted(t, registry, "duet_turn_drops_total", "forbidden peer") > before })
	}
	before := counted(t, registry, "duet_relay_dropped_total", "stranger")
	if _, err := a.WriteTo([]byte("\x00\x01\x00\x0c"+header+"\x00\x06\x00\x05no:pe\x00\x00\x00"), to); err != nil {
		t.Fatal(err)
	}
	until(t, "the check to reach the relay", func() bool { return counted(t, registry, "duet_relay_dropped_total", "stranger") > before })
	if n := a.heard.Load(); n != 0 {
		t.Errorf("%d answers", n)
	}
}

// Over TCP the first bytes of a stream decide, on TURN's port and on a TLS port.
func TestTURNAndTheRelayShareTCP(t *testing.T) {
	m, _, addr := sharedPort(t, 1)
	ends := relayed(t, m, "c_1", webrtc.NetworkTypeTCP4)
	until(t, "audio both ways over TCP", func() bool {
		ends[0].send(t)
		ends[1].send(t)
		return ends[0].heard.Load() > 10 && ends[1].heard.Load() > 10
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	bindingAnswered(t, c)
}

func TestChecksReachTheRelayOnATLSPort(t *testing.T) {
	cert, _, err := selfSigned(nil)
	if err != nil {
		t.Fatal(err)
	}
	secure := muxServer(t, listenLocal(t), &tls.Config{Certificates: []tls.Certificate{cert}})
	c := dial(t, secure)
	if _, err := c.Write([]byte("\x00\x54\x00\x01")); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := got.ReadFrom(c); err != nil || got.String() != "a check" {
		t.Errorf("got %q, %v", got.String(), err)
	}
}
