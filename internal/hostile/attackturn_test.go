package hostile

// This file is the attacks on TURN, and on the relay's loop by its media.

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/stun/v2"
	pionturn "github.com/pion/turn/v3"
)

// relayed is a call of the attacker's through the relay.
func (h *hostile) relayed() (c *couple, a, b *leg, err error) {
	if c, err = h.call(); err != nil {
		return nil, nil, nil, err
	}
	ignore := func(*rtp.Packet) {}
	if a, b, err = c.throughRelay(ignore, ignore); err != nil {
		c.close()
		return nil, nil, nil, err
	}
	drain(c.a)
	drain(c.b)
	return c, a, b, nil
}

// reports are compounds of transport-wide feedback, each of which speaks of as many numbers as it can, of which some were held
// back: one took a hundred thousand times the work of a packet.
func reports(ctx context.Context, h *hostile) (string, error) {
	c, a, b, err := h.relayed()
	if err != nil {
		return "", err
	}
	defer c.close()
	defer a.close()
	defer b.close()
	var compound []rtcp.Packet
	for range 58 {
		r := []byte{0x80 | 15, 205, 0, 5, 0, 0, 0, 1}
		r = binary.BigEndian.AppendUint32(r, uint32(a.pc.GetSenders()[0].GetParameters().Encodings[0].SSRC))
		r = append(r, 0, 0, 16, 0, 0, 0, 0, 1, 16, 0, 0, 0) // of 4,096 numbers, in one run
		raw := rtcp.RawPacket(r)
		compound = append(compound, &raw)
	}
	n, err := pace(ctx, 220, func(i int) error {
		if i%20 == 0 { // a packet that is held back
			if err := c.a.send(object{"type": "mediaStateChange", "mediaType": "video", "enabled": i%40 != 0}); err != nil {
				return err
			}
		}
		if err := a.send(append([]byte(deltaFrame), 1)); err != nil {
			return err
		}
		return b.pc.WriteRTCP(compound)
	})
	return fmt.Sprintf("%d datagrams of 58 reports", n), err
}

// jumps are small packets, each of which leaves a hole of half the numbers that there are.
func jumps(ctx context.Context, h *hostile) (string, error) {
	c, a, b, err := h.relayed()
	if err != nil {
		return "", err
	}
	defer c.close()
	defer a.close()
	defer b.close()
	n, err := pace(ctx, 3000, func(int) error {
		a.seq += 32766
		return a.send(append([]byte(deltaFrame), 1))
	})
	return fmt.Sprintf("%d packets of 20 bytes", n), err
}

// silentTURN takes TURN's TCP connections.
func silentTURN(ctx context.Context, h *hostile) (string, error) {
	n, refused, err := hold(ctx, 1000, func() (net.Conn, error) {
		c, err := h.s.stream(hostileTCP, h.s.turn)
		if err == nil {
			m := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
			_, err = c.Write(m.Raw)
		}
		return c, err
	})
	return fmt.Sprintf("%d connections, %d refused", n, refused), err
}

// socket is a plain one of the attacker's at TURN.
func (h *hostile) socket() (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(hostileUDP)}}).Dial("udp4", h.s.turn)
}

// strangers ask without a password, as who forges their address to have somebody else flooded.
func strangers(ctx context.Context, h *hostile) (string, error) {
	c, err := h.socket()
	if err != nil {
		return "", err
	}
	defer c.Close()
	var answers int
	var all sync.WaitGroup
	all.Go(func() {
		for b := make([]byte, 2000); ; answers++ {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	})
	began := time.Now()
	n, err := pace(ctx, 4000, func(i int) error {
		typ := stun.BindingRequest
		if i%2 == 0 {
			typ = stun.NewType(stun.MethodAllocate, stun.ClassRequest)
		}
		_, err := c.Write(stun.MustBuild(stun.TransactionID, typ).Raw)
		return err
	})
	took := time.Since(began)
	c.Close()
	all.Wait()
	if most := 10*int(took.Seconds()+2) + 20; answers > most {
		return "", fmt.Errorf("%d answers to %d requests in %s, at most %d are meant", answers, n, took, most)
	}
	return fmt.Sprintf("%d requests, %d answered", n, answers), err
}

// client is a raw TURN client with a password, on a stream of its own: datagrams would have to wait for the few answers a
// second that one address gets before it has shown a password.
type client struct {
	conn       net.Conn
	user, pass string
	realm      string
	nonce      string
	key        stun.MessageIntegrity
}

// ask makes one request, again with the nonce that it is told.
func (c *client) ask(method stun.Method, attrs ...stun.Setter) (code stun.ErrorCode, err error) {
	for range 4 {
		all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attrs...)
		if c.nonce != "" {
			all = append(all, stun.NewUsername(c.user), stun.NewRealm(c.realm), stun.NewNonce(c.nonce), c.key)
		}
		m, err := stun.Build(all...)
		if err != nil {
			return 0, err
		}
		if _, err := c.conn.Write(m.Raw); err != nil {
			return 0, err
		}
		answer, err := c.answer(m.TransactionID)
		if err != nil {
			return 0, err
		}
		var refusal stun.ErrorCodeAttribute
		var nonce stun.Nonce
		var realm stun.Realm
		if refusal.GetFrom(answer) != nil {
			return 0, nil
		}
		if nonce.GetFrom(answer) != nil || realm.GetFrom(answer) != nil {
			return refusal.Code, nil
		}
		c.nonce, c.realm = nonce.String(), realm.String()
		c.key = stun.NewLongTermIntegrity(c.user, c.realm, c.pass)
	}
	return stun.CodeUnauthorized, nil
}

func (c *client) answer(id [stun.TransactionIDSize]byte) (*stun.Message, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for {
		b := make([]byte, 20, 2000)
		if _, err := io.ReadFull(c.conn, b); err != nil {
			return nil, err
		}
		b = b[:20+int(binary.BigEndian.Uint16(b[2:]))]
		if _, err := io.ReadFull(c.conn, b[20:]); err != nil {
			return nil, err
		}
		m := &stun.Message{Raw: b}
		if err := m.Decode(); err != nil || m.TransactionID == id {
			return m, err
		}
	}
}

type attribute struct {
	typ   stun.AttrType
	value []byte
}

func (a attribute) AddTo(m *stun.Message) error {
	m.Add(a.typ, a.value)
	return nil
}

var (
	udpRelay = attribute{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}
	evenPair = attribute{stun.AttrEvenPort, []byte{0x80}}
)

// rawClient is a client with a credential.
func (s *server) rawClient(ip, user, pass string) (*client, error) {
	conn, err := s.stream(ip, s.turn)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, user: user, pass: pass}, nil
}

// allocations makes clients, each with a credential and an Allocate request, and counts what becomes of them.
func (h *hostile) allocations(ctx context.Context, login func(i int) (user, pass string, err error), attrs ...stun.Setter) (asked, granted int, err error) {
	var all []*client
	defer func() { release(all) }()
	asked, err = pace(ctx, 200, func(i int) error {
		user, pass, err := login(i)
		if err != nil {
			return err
		}
		c, err := h.s.rawClient(hostileTCP, user, pass)
		if err != nil {
			return err
		}
		all = append(all, c)
		if code, err := c.ask(stun.MethodAllocate, append([]stun.Setter{udpRelay}, attrs...)...); err == nil && code == 0 {
			granted++
		} // else refused, or its stream was closed
		return nil
	})
	return asked, granted, err
}

// release gives the allocations of clients back and closes them.
func release(all []*client) {
	for _, c := range all {
		_, _ = c.ask(stun.MethodRefresh, attribute{stun.AttrLifetime, make([]byte, 4)}) // there may be none
		c.conn.Close()
	}
}

// holder is one more name of the attacker's, with what TURN gives it.
func (h *hostile) holder() (w *wire, user, pass string, err error) {
	w, welcome, err := h.s.join(hostileTCP, h.name(), "presence-none")
	if err != nil {
		return nil, "", "", err
	}
	if user, pass, err = credential(welcome); err != nil {
		w.ws.Close()
	}
	return w, user, pass, err
}

// pairs asks for two ports at a time, of which one was not counted.
func pairs(ctx context.Context, h *hostile) (string, error) {
	w, user, pass, err := h.holder()
	if err != nil {
		return "", err
	}
	defer w.ws.Close()
	n, granted, err := h.allocations(ctx, func(int) (string, string, error) { return user, pass, nil }, evenPair)
	if err == nil && granted > 64 { // those who have relayed nothing give way to new ones, but what is reserved stays
		err = fmt.Errorf("%d pairs, where a user may have 64 ports", granted)
	}
	return fmt.Sprintf("%d requests, %d granted", n, granted), err
}

// manyAllocations takes what one address may have, by names of other software, of which one can make many.
func manyAllocations(ctx context.Context, h *hostile) (string, error) {
	n, granted, err := h.allocations(ctx, func(i int) (string, string, error) {
		return pionturn.GenerateLongTermTURNRESTCredentials(turnSecret, "x"+strconv.Itoa(i), time.Hour)
	})
	if err == nil && granted > 200 {
		err = fmt.Errorf("%d granted, where one address may have 200 streams", granted)
	}
	return fmt.Sprintf("%d requests, %d granted", n, granted), err
}

// indications ask for a decision each, by who has an allocation and no permission.
func indications(ctx context.Context, h *hostile) (string, error) {
	w, user, pass, err := h.holder()
	if err != nil {
		return "", err
	}
	defer w.ws.Close()
	c, err := h.s.allocate(hostileUDP, user, pass)
	if err != nil {
		return "", err
	}
	defer c.close()
	to, err := net.ResolveUDPAddr("udp4", h.s.turn)
	if err != nil {
		return "", err
	}
	peer := attribute{stun.AttrXORPeerAddress, []byte{0, 1, 0x30, 0x39, 0x29, 0x13, 0xa5, 0x43}}
	n, err := pace(ctx, 5000, func(int) error {
		m := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peer, attribute{stun.AttrData, make([]byte, 100)})
		_, err := c.socket.WriteTo(m.Raw, to)
		return err
	})
	return fmt.Sprintf("%d indications", n), err
}

// traffic is relayed between names of the attacker's, each within its share.
func traffic(ctx context.Context, h *hostile) (string, error) {
	calls, end, err := h.calls(6)
	if err != nil {
		return "", err
	}
	defer end()
	type way struct{ from, to *turnClient }
	var ways []way
	for _, c := range calls {
		a, err := h.s.allocate(hostileUDP, c.userA, c.passA)
		if err != nil {
			return "", err
		}
		defer a.close()
		b, err := h.s.allocate(hostileUDP, c.userB, c.passB)
		if err != nil {
			return "", err
		}
		defer b.close()
		for _, end := range []*turnClient{a, b} {
			go func() {
				for b := make([]byte, 2000); ; {
					if _, _, err := end.relay.ReadFrom(b); err != nil {
						return
					}
				}
			}()
		}
		if _, err := b.relay.WriteTo([]byte("open"), a.relay.LocalAddr()); err != nil {
			return "", err
		}
		ways = append(ways, way{a, b})
	}
	payload := make([]byte, 1200)
	n, err := pace(ctx, 5000, func(i int) error {
		w := ways[i%len(ways)]
		_, err := w.from.relay.WriteTo(payload, w.to.relay.LocalAddr())
		return err
	})
	return fmt.Sprintf("%d packets of 1,200 bytes by %d names", n, 2*len(ways)), err
}
