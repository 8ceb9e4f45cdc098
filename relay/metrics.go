package relay

// The relay's Prometheus metrics, and what is told of a call when it is over.

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"duet/relay/plane"
)

type metrics struct {
	calls    prometheus.Gauge
	failures prometheus.Counter
	legs     *prometheus.GaugeVec
	decided  *prometheus.CounterVec
	loss     prometheus.Histogram
	rtt      prometheus.Histogram
}

// register makes the metrics; without a registry they are counted and not shown. stats is nil when the relay is off.
func (m *metrics) register(to prometheus.Registerer, stats func() plane.Stats, totals *plane.Totals) error {
	m.calls = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "duet_relay_calls", Help: "Calls that have a room in the relay.",
	})
	m.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "duet_relay_failures_total", Help: "Rooms that were lost before their call ended.",
	})
	m.legs = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "duet_relay_legs", Help: "Connected legs, by the path that carries them.",
	}, []string{"path"})
	m.decided = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "duet_relay_legs_total", Help: "Legs so far, by the path that was decided for them.",
	}, []string{"path"})
	m.loss = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "duet_relay_call_loss_ratio", Help: "Share of an end's packets that the other end reported lost, for each end of a call.",
		Buckets: []float64{0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3},
	})
	m.rtt = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "duet_relay_call_rtt_seconds", Help: "Round-trip time between the two ends, as last reported in a call.",
		Buckets: []float64{0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1},
	})
	if to == nil {
		return nil
	}
	all := []prometheus.Collector{m.calls, m.failures, m.legs, m.decided, m.loss, m.rtt}
	if stats != nil {
		all = append(all, traffic{stats, totals})
	}
	for _, c := range all {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("register relay metrics: %w", err)
		}
	}
	return nil
}

// traffic reads the plane's counters when it is asked.
type traffic struct {
	stats  func() plane.Stats
	totals *plane.Totals
}

func packetsDesc() *prometheus.Desc {
	return prometheus.NewDesc("duet_relay_packets_total", "Datagrams on the relay's UDP port.", []string{"direction"}, nil)
}

func bytesDesc() *prometheus.Desc {
	return prometheus.NewDesc("duet_relay_bytes_total", "Bytes of datagrams on the relay's UDP port.", []string{"direction"}, nil)
}

func droppedDesc() *prometheus.Desc {
	return prometheus.NewDesc("duet_relay_dropped_total", "Packets that were not forwarded, by cause.", []string{"cause"}, nil)
}

func keysDesc() *prometheus.Desc {
	return prometheus.NewDesc("duet_relay_key_frame_requests_total", "Key frames that the relay itself asked for.", nil, nil)
}

// Describe implements prometheus.Collector.
func (traffic) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{packetsDesc(), bytesDesc(), droppedDesc(), keysDesc()} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (t traffic) Collect(to chan<- prometheus.Metric) {
	s := t.stats()
	add := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	add(packetsDesc(), s.PacketsIn, "in")
	add(packetsDesc(), s.PacketsOut, "out")
	add(bytesDesc(), s.BytesIn, "in")
	add(bytesDesc(), s.BytesOut, "out")
	for d := range plane.Drops {
		add(droppedDesc(), s.Dropped[d], d.String())
	}
	for v := plane.Forward + 1; v < plane.Results; v++ {
		add(droppedDesc(), t.totals.Results[v].Load(), v.String())
	}
	add(keysDesc(), t.totals.KeyRequests.Load())
}

// summarize tells what the call was like: a line for the operator and a sample for the histograms.
func (r *room) summarize(ready bool) {
	a, b := r.tr.Counts(0), r.tr.Counts(1)
	rtt := a.RTT + b.RTT // each is between the relay and one end
	for _, c := range []plane.Counts{a, b} {
		if c.Packets > 0 {
			r.s.metrics.loss.Observe(percent(c) / 100)
		}
	}
	if a.RTT > 0 && b.RTT > 0 {
		r.s.metrics.rtt.Observe(rtt.Seconds())
	}
	r.log.Info("relay call ended", "ready", ready, "duration", time.Since(r.opened).Round(time.Millisecond),
		"packets", a.Packets+b.Packets, "bytes", a.Bytes+b.Bytes,
		"loss_pct_a", percent(a), "loss_pct_b", percent(b), "rtt", rtt.Round(100*time.Microsecond),
		"key_requests", a.KeyRequests+b.KeyRequests)
}

// percent is how much of what a leg sent did not reach the other end.
func percent(c plane.Counts) float64 {
	if c.Packets == 0 || c.Lost <= 0 {
		return 0
	}
	return math.Round(10000*float64(c.Lost)/float64(c.Packets)) / 100
}
