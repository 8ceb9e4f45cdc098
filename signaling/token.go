package signaling

// This file makes and reads session tokens: signed, and enough to re-create a
// session and its call after a restart.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"strings"
	"sync"
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

const tokenPrefix = "duet2." // changes with the meaning of the claims

// claims are what a token says.
type claims struct {
	ID       string            `json:"id"`
	Name     string            `json:"n"`
	Features protocol.Features `json:"f"`
	Epoch    uint64            `json:"e"`
	Issued   int64             `json:"t"`           // Unix ms
	Applied  uint64            `json:"a"`           // the client's messages up to this one are done
	Mode     string            `json:"m,omitempty"` // of joining; "": open
	Subject  string            `json:"s,omitempty"`
	Until    int64             `json:"u,omitempty"` // Unix ms
	Call     *call.Snapshot    `json:"c,omitempty"`
}

// token describes s as it is now.
func (h *Hub) token(s *session) string {
	s.dirty, s.renewed = false, time.Now()
	if s.conn != nil {
		s.conn.renewAt.Store(int64(s.renewed.Sub(h.began) + h.cfg.SessionRenewal))
	}
	cl := claims{ID: s.ID, Name: s.Name, Features: s.Features, Epoch: s.epoch, Issued: s.renewed.UnixMilli(), Applied: s.recvSeq,
		Mode: h.tokens.Load().Mode(), Subject: s.subject, Call: s.Snapshot()}
	if !s.until.IsZero() {
		cl.Until = s.until.UnixMilli()
	}
	return h.signer.sign(cl)
}

// append writes claims as their tags say.
func (cl claims) append(b []byte) protocol.Object {
	o := append(protocol.Object(b), '{').Str("id", cl.ID).Str("n", cl.Name).Uint("f", uint64(cl.Features)).Uint("e", cl.Epoch).Int("t", cl.Issued).
		Uint("a", cl.Applied).Optional("m", cl.Mode).Optional("s", cl.Subject)
	if cl.Until != 0 {
		o = o.Int("u", cl.Until)
	}
	if c := cl.Call; c != nil {
		o = append(o.Key("c"), '{')
		o = o.Str("id", c.ID).Uint("p", uint64(c.Phase)).Int("s", int64(c.Side)).Str("pi", c.PeerID).Str("pn", c.PeerName).Uint("pf", uint64(c.PeerFeatures))
		o = append(o.Key("ms"), '{')
		o = append(c.Self.Fields(o), '}')
		o = append(o.Key("mp"), '{')
		o = append(c.Peer.Fields(o), '}')
		o = append(o.Bool("r", c.Relay), '}')
	}
	return append(o, '}')
}

// signer makes and checks tokens, for whoever asks.
type signer struct{ macs *sync.Pool }

func newSigner(key []byte) signer {
	return signer{&sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (g signer) sign(cl claims) string {
	var room [512]byte
	body := cl.append(room[:0])
	token := make([]byte, 0, len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(len(body))+1+base64.RawURLEncoding.EncodedLen(sha256.Size))
	token = append(token, tokenPrefix...)
	token = base64.RawURLEncoding.AppendEncode(token, body)
	var sum [sha256.Size]byte
	g.sum(sum[:0], token)
	token = append(token, '.')
	return string(base64.RawURLEncoding.AppendEncode(token, sum[:]))
}

func (g signer) sum(into, token []byte) []byte {
	mac := g.macs.Get().(hash.Hash)
	defer g.macs.Put(mac)
	mac.Reset()
	mac.Write(token)
	return mac.Sum(into)
}

// verify reads a token; good is false if we did not make it.
func (g signer) verify(token string) (cl claims, good bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 || len(token) > protocol.MaxToken || !strings.HasPrefix(token, tokenPrefix) {
		return cl, false
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(token[i+1:])
	if err != nil || !hmac.Equal(sum, g.sum(nil, []byte(token[:i]))) {
		return cl, false
	}
	body, err := base64.RawURLEncoding.DecodeString(token[len(tokenPrefix):i])
	if err != nil || json.Unmarshal(body, &cl) != nil {
		return claims{}, false
	}
	return cl, true
}

// renew sends s a newer token.
func (st *step) renew(s *session) {
	if s.conn != nil && s.Features.Has(protocol.FeatureResume) {
		st.sendUnnumbered(s, protocol.SessionMessage{Session: st.token(s)})
	}
}

// renewAged gives new tokens to connections whose token has aged.
func (h *Hub) renewAged(conns []*conn) {
	for _, c := range conns {
		h.do(func(st *step) {
			if c.session != nil {
				st.renew(c.session)
			}
		})
	}
}
