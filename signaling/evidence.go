package signaling

// This file gathers what the server knows of a call that does not connect, and
// tells the operator what was found.

import (
	"fmt"
	"log/slog"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// gatherEvidence asks all that know something of a call, without the lock, since
// some look through all that they have.
func (h *Hub) gatherEvidence(c *call.Call) {
	var known call.Evidence
	if h.turn != nil {
		known.TURNAddresses = h.turn.Announced()
	}
	if h.relay != nil {
		known.RelayAddresses = h.relay.Announced()
	}
	for side, p := range c.Party {
		x := &known.End[side]
		if h.turn != nil {
			x.Allocations, x.PeerDataSeen, x.Refusals = h.turn.UserStatus(p.ID)
		}
		x.Leg = h.relay != nil && h.relay.Connected(c.ID, p.ID)
	}
	h.do(func(st *step) {
		for side, p := range c.Party {
			x, s := &known.End[side], st.sessions[p.ID]
			x.Gone = s == nil || s.conn == nil || st.now.Sub(s.conn.wire.LastFrameAt()) > st.cfg.PingInterval+call.DiagnosisWait
			if s != nil && s.conn != nil {
				x.Public = protocol.PublicFamily(s.conn.ip)
			}
		}
		st.apply(call.EvidenceGathered{Call: c, Evidence: known})
	})
}

// Diagnosed implements [call.Carrier]: it tells the operator.
func (st *step) Diagnosed(d call.Diagnosed) {
	st.metrics.verdicts.WithLabelValues(d.Code).Inc()
	attrs := []any{"call", d.Call.ID, "verdict", d.Code}
	for side, role := range call.Roles {
		attrs = append(attrs, slog.Group(role,
			"id", d.Call.Party[side].ID, "to_blame", d.AtFault[side], "seen", d.Told[side], "known", fmt.Sprintf("%+v", d.Evidence.End[side])))
	}
	st.logLater(slog.LevelWarn, "call does not connect", attrs...)
}
