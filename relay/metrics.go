package relay

// The relay's Prometheus metrics.

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	calls prometheus.Gauge
	legs  *prometheus.GaugeVec
}

func (m *metrics) register(to prometheus.Registerer) error {
	m.calls = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "duet_relay_calls", Help: "Calls that have a room in the relay.",
	})
	m.legs = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "duet_relay_legs", Help: "Connected legs, by the path that carries them.",
	}, []string{"path"})
	if to == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.calls, m.legs} {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("register relay metrics: %w", err)
		}
	}
	return nil
}
