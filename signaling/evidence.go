package signaling

// This file gathers what the server knows of a call that does not connect, and
// tells the operator what was found.

import (
	"fmt"
	"log/slog"
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// evidence asks all that know something of a call.
func (h *Hub) evidence(c *call.Call) (known call.Evidence) {
	if h.turn != nil {
		known.TURNAddresses = h.turn.Announced()
	}
	if h.relay != nil {
		known.RelayAddresses = h.relay.Announced()
	}
	for side, p := range c.Party {
		x := &known.End[side]
		s := h.sessions[p.ID]
		x.Gone = s == nil || s.conn == nil || time.Since(s.conn.wire.LastFrameAt()) > h.cfg.PingInterval+call.DiagnosisWait
		if s != nil && s.conn != nil {
			x.Public = protocol.PublicFamily(s.conn.ip)
		}
		if h.turn != nil {
			x.Allocations, x.PeerDataSeen, x.Refusals = h.turn.UserStatus(p.ID)
		}
		x.Leg = h.relay != nil && h.relay.Reached(c.ID, p.ID)
	}
	return known
}

// Diagnosed tells the operator.
func (h carrier) Diagnosed(d call.Diagnosed) {
	h.metrics.verdicts.WithLabelValues(d.Code).Inc()
	attrs := []any{"call", d.Call.ID, "verdict", d.Code}
	for side, role := range call.Roles {
		attrs = append(attrs, slog.Group(role,
			"id", d.Call.Party[side].ID, "to_blame", d.AtFault[side], "seen", d.Told[side], "known", fmt.Sprintf("%+v", d.Evidence.End[side])))
	}
	h.log.Warn("call does not connect", attrs...)
}
