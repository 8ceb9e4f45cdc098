package signaling

// This file counts what happens, for Prometheus.

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// metrics are this hub's collectors; they work unregistered, too.
type metrics struct {
	connections, sessions, calls prometheus.Gauge
	tooSlow, overflows           prometheus.Counter
	outMessages, outBytes        prometheus.Counter
	in                           [len(protocol.Table)]prometheus.Counter // by place in the table; nil: no client sends it
	unknown                      prometheus.Counter
	outcomes, refusals, refusedC *prometheus.CounterVec
	resumes, connected, verdicts *prometheus.CounterVec
	setup, rtt, loss             *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	var all []prometheus.Collector
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "duet", Subsystem: "signaling", Name: n, Help: help}
	}
	gauge := func(n, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts(name(n, help)))
		all = append(all, g)
		return g
	}
	counter := func(n, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts(name(n, help)))
		all = append(all, c)
		return c
	}
	counters := func(n, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts(name(n, help)), labels)
		all = append(all, c)
		return c
	}
	histogram := func(n, help string, buckets []float64) *prometheus.HistogramVec {
		o := name(n, help)
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: o.Namespace, Subsystem: o.Subsystem, Name: o.Name, Help: o.Help, Buckets: buckets}, []string{"path"})
		all = append(all, h)
		return h
	}
	m := &metrics{
		connections: gauge("connections", "Open WebSockets."),
		sessions:    gauge("sessions", "Users who are here, those between two connections included."),
		calls:       gauge("calls", "Accepted calls in progress."),
		tooSlow:     counter("slow_readers_total", "Connections closed because the client did not keep up."),
		overflows:   counter("outbox_overflows_total", "Sessions ended because their outbox overflowed."),
		outMessages: counter("sent_messages_total", "Messages sent to sessions, user lists and deltas excluded."),
		outBytes:    counter("sent_bytes_total", "Bytes of these messages."),
		outcomes:    counters("calls_total", "Calls by how they ended.", "outcome"),
		refusals:    counters("refusals_total", "Refused messages by error code.", "code"),
		refusedC:    counters("refused_connections_total", "Connections refused before the upgrade.", "reason"),
		resumes:     counters("resumes_total", "Sessions resumed, by kind: living, or restored after a restart.", "kind"),
		connected:   counters("media_connected_total", "Reports of flowing media by path.", "path"),
		verdicts:    counters("verdicts_total", "Calls that did not connect, by why.", "code"),
		setup:       histogram("setup_seconds", "Time from acceptance to media as clients report it.", prometheus.ExponentialBuckets(0.05, 2, 10)),
		rtt:         histogram("rtt_seconds", "Round-trip times as clients report them.", prometheus.ExponentialBuckets(0.002, 2, 10)),
		loss:        histogram("loss_ratio", "Packet loss as clients report it.", []float64{0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5}),
	}
	received := counters("received_messages_total", "Messages received by type.", "type")
	for i, row := range protocol.Table {
		if row.Decode != nil {
			m.in[i] = received.WithLabelValues(row.Type)
		}
	}
	m.unknown = received.WithLabelValues("unknown")
	for _, code := range call.Causes() {
		m.verdicts.WithLabelValues(code)
	}
	if reg != nil {
		for _, c := range all {
			if err := reg.Register(c); err != nil {
				return nil, fmt.Errorf("register signaling metrics: %w", err)
			}
		}
	}
	return m, nil
}

// received counts a message by the number of its type.
func (m *metrics) received(number int) {
	if number < 0 {
		m.unknown.Inc()
		return
	}
	m.in[number].Inc()
}

func (m *metrics) sent(o []byte) {
	m.outMessages.Inc()
	m.outBytes.Add(float64(len(o)))
}

func (m *metrics) refused(code string)       { m.refusals.WithLabelValues(code).Inc() }
func (m *metrics) refusedConn(reason string) { m.refusedC.WithLabelValues(reason).Inc() }

func (m *metrics) resumed(living bool) {
	kind := "restored"
	if living {
		kind = "living"
	}
	m.resumes.WithLabelValues(kind).Inc()
}

func (m *metrics) mediaConnected(r protocol.MediaConnectedRequest) {
	m.connected.WithLabelValues(r.Path).Inc()
	if r.HasSetup && r.SetupMs >= 0 {
		m.setup.WithLabelValues(r.Path).Observe(r.SetupMs / 1000)
	}
}

func (m *metrics) mediaStats(r protocol.CallStatsRequest) {
	path := r.Path
	if path == "" {
		path = "unknown"
	}
	if r.RTTMs >= 0 {
		m.rtt.WithLabelValues(path).Observe(r.RTTMs / 1000)
	}
	if r.LossPct >= 0 {
		m.loss.WithLabelValues(path).Observe(r.LossPct / 100)
	}
}
