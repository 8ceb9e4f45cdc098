package hostile

// This file carries a call's media: through TURN by the library's client, through the relay by pion's browser.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	pionturn "github.com/pion/turn/v3"
	"github.com/pion/webrtc/v4"
)

const turnSecret = "a secret for the attack bench 32"

func silent() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	return f
}

// turnClient is an allocation, from an address of its own.
type turnClient struct {
	socket net.PacketConn
	client *pionturn.Client
	relay  net.PacketConn
}

func (s *server) allocate(ip, user, pass string) (*turnClient, error) {
	socket, err := net.ListenPacket("udp4", ip+":0")
	if err != nil {
		return nil, err
	}
	c := &turnClient{socket: socket}
	c.client, err = pionturn.NewClient(&pionturn.ClientConfig{
		STUNServerAddr: s.turn, TURNServerAddr: s.turn, Username: user, Password: pass, Realm: "duet", Conn: socket, LoggerFactory: silent(),
	})
	if err == nil {
		if err = c.client.Listen(); err == nil {
			c.relay, err = c.client.Allocate()
		}
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("allocate from %s: %w", ip, err)
	}
	return c, nil
}

func (c *turnClient) close() {
	if c.relay != nil {
		c.relay.Close() // it refreshes with lifetime 0
	}
	if c.client != nil {
		c.client.Close()
	}
	c.socket.Close()
}

// stamped is a payload that says when it left and as which of its flow.
func stamped(b []byte, n uint64) []byte {
	binary.BigEndian.PutUint64(b, n)
	binary.BigEndian.PutUint64(b[8:], uint64(time.Now().UnixNano()))
	return b
}

func readStamp(b []byte) (n uint64, took time.Duration) {
	return binary.BigEndian.Uint64(b), time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))))
}

// leg is one end's connection to the relay.
type leg struct {
	pc    *webrtc.PeerConnection
	track *webrtc.TrackLocalStaticRTP
	seq   uint16
	up    chan struct{} // closed when it is connected
}

// newLeg makes a leg that gives what comes to heard.
func newLeg(heard func(*rtp.Packet)) (*leg, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	set := webrtc.SettingEngine{LoggerFactory: silent()}
	set.SetIncludeLoopbackCandidate(true)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	set.SetIPFilter(net.IP.IsLoopback)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(set), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	l := &leg{pc: pc, up: make(chan struct{})}
	if l.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "v"); err == nil {
		_, err = pc.AddTrack(l.track)
	}
	if err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			heard(p)
		}
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			close(l.up)
		}
	})
	return l, nil
}

// describe is the message that tells the relay what this leg has.
func (l *leg) describe() (object, error) {
	offer, err := l.pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(l.pc)
	if err := l.pc.SetLocalDescription(offer); err != nil {
		return nil, err
	}
	<-gathered
	return object{"type": "offer", "target": "relay", "offer": object{"type": "offer", "sdp": l.pc.LocalDescription().SDP}}, nil
}

func (l *leg) offer(w *wire) error {
	m, err := l.describe()
	if err != nil {
		return err
	}
	return w.send(m)
}

func (l *leg) answered(w *wire) error {
	m, err := w.await("answer")
	if err != nil {
		return err
	}
	answer, _ := m["answer"].(object)
	sdp, _ := answer["sdp"].(string)
	return l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp})
}

// throughRelay brings a call to the relay.
func (c *couple) throughRelay(heardA, heardB func(*rtp.Packet)) (a, b *leg, err error) {
	if err := c.relay(); err != nil {
		return nil, nil, err
	}
	if a, err = newLeg(heardA); err != nil {
		return nil, nil, err
	}
	if b, err = newLeg(heardB); err == nil {
		if err = a.offer(c.a); err == nil {
			if err = b.offer(c.b); err == nil {
				if err = a.answered(c.a); err == nil {
					err = b.answered(c.b)
				}
			}
		}
	}
	for _, l := range []*leg{a, b} {
		if err == nil {
			select {
			case <-l.up:
			case <-time.After(patience):
				err = errors.New("the relay's leg does not connect")
			}
		}
	}
	if err == nil { // a packet of each opens the other's track
		for _, w := range []*wire{c.a, c.b} {
			if _, err = w.await("relayReady"); err != nil {
				break
			}
		}
	}
	if err != nil {
		a.close()
		b.close()
		return nil, nil, err
	}
	return a, b, nil
}

// The beginnings of VP8 payloads: a key frame, and another.
const (
	keyFrame   = "\x10\x00"
	deltaFrame = "\x10\x01"
)

func (l *leg) send(payload []byte) error {
	l.seq++
	return l.track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, SequenceNumber: l.seq, Timestamp: uint32(l.seq) * 1800}, Payload: payload})
}

func (l *leg) close() {
	if l != nil {
		_ = l.pc.Close() // its socket goes in any case
	}
}
