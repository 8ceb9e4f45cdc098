package turn

// This file counts, and shows the counts to Prometheus. No label names a user or an address.

import (
	"errors"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// path is how a payload went.
type path int

const (
	pathFast    path = iota // between two allocations
	pathSocket              // to or from a peer outside
	pathLibrary             // taken out of its message by the library, wherever it went
	paths
)

func (p path) String() string { return [...]string{"fast", "socket", "library"}[p] }

// outside is the path of a payload that went to a peer outside.
func (p path) outside() path {
	if p == pathFast {
		return pathSocket
	}
	return p
}

// traffic counts payloads from clients (up) and to clients (down).
type traffic struct{ up, down [paths]counter }

// stats are the server's counts. The maps are fixed after newStats.
type stats struct {
	traffic
	dropped [drops]atomic.Uint64
	codes   map[int]*atomic.Uint64
	bounds  map[string]*atomic.Uint64
	opened  atomic.Uint64
}

func newStats() *stats {
	s := &stats{codes: map[int]*atomic.Uint64{}, bounds: map[string]*atomic.Uint64{}}
	for _, bound := range []string{boundUser, boundIP, boundTotal} {
		s.bounds[bound] = new(atomic.Uint64)
	}
	for _, code := range []int{
		codeBadRequest, codeUnauthorized, codeForbidden, codeUnknownAttribute, codeMismatch, codeStaleNonce, codeFamily,
		codeWrongCredentials, codeTransport, codePeerFamily, codeQuota, codeCapacity,
	} {
		s.codes[code] = new(atomic.Uint64)
	}
	return s
}

// drop counts a packet that goes nowhere.
func (s *stats) drop(reason drop) { s.dropped[reason].Add(1) }

// lose counts a packet that the system did not take.
func (s *stats) lose(err error) {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOBUFS) {
		s.drop(dropQueueFull)
		return
	}
	s.drop(dropUnreachable)
}

// refuse counts a request answered with an error code.
func (s *stats) refuse(code int) {
	if n := s.codes[code]; n != nil {
		n.Add(1)
	}
}

// collector implements prometheus.Collector for one server.
type collector struct{ server *Server }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("duet_turn_"+name, help, labels, nil)
}

// descriptions of what collector gives.
type descriptions struct {
	allocations, opened, packets, bytes, refusals, bounds, drops, streams, kernel *prometheus.Desc
}

func describe() descriptions {
	return descriptions{
		allocations: desc("allocations", "Allocations that exist now.", "transport", "family"),
		opened:      desc("allocations_total", "Allocations made since the start."),
		packets:     desc("packets_total", "Payloads relayed: up from clients, down to clients; fast between two of them, socket to and from peers outside, library those that the slow way was needed for.", "direction", "path"),
		bytes:       desc("bytes_total", "Bytes of the payloads relayed.", "direction", "path"),
		refusals:    desc("refusals_total", "Requests answered with an error, by code.", "code"),
		bounds:      desc("quota_refusals_total", "Allocations refused, by the key of the configuration that bounds them.", "key"),
		drops:       desc("drops_total", "Packets that were not answered or relayed, by reason; budget is for strangers who ask too often.", "reason"),
		streams:     desc("streams", "TCP and TLS connections that exist now."),
		kernel:      desc("receive_drops_total", "Datagrams that the kernel lost because this process was too slow."),
	}
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	d := describe()
	for _, each := range []*prometheus.Desc{d.allocations, d.opened, d.packets, d.bytes, d.refusals, d.bounds, d.drops, d.streams, d.kernel} {
		out <- each
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	d, s := describe(), c.server
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for key, n := range s.relays.countByTransport() {
		gauge(d.allocations, n, key[0], key[1])
	}
	count(d.opened, s.stats.opened.Load())
	sum := s.traffic()
	for p := range paths {
		for direction, t := range map[string]*counter{"up": &sum.up[p], "down": &sum.down[p]} {
			count(d.packets, t.packets.Load(), direction, p.String())
			count(d.bytes, t.bytes.Load(), direction, p.String())
		}
	}
	for code, n := range s.stats.codes {
		count(d.refusals, n.Load(), strconv.Itoa(code))
	}
	for key, n := range s.stats.bounds {
		count(d.bounds, n.Load(), "turn."+key)
	}
	for reason := passed + 1; reason < drops; reason++ {
		count(d.drops, s.stats.dropped[reason].Load(), reason.String())
	}
	gauge(d.streams, s.streams.count())
	count(d.kernel, s.kernelDrops())
}

// traffic adds up what all parts have counted.
func (s *Server) traffic() *traffic {
	sum := new(traffic)
	sum.add(&s.stats.traffic)
	for _, l := range s.udp {
		if e, ok := l.(emitter); ok {
			sum.add(e.counts())
		}
	}
	return sum
}

func (t *traffic) add(o *traffic) {
	for p := range paths {
		for _, pair := range [][2]*counter{{&t.up[p], &o.up[p]}, {&t.down[p], &o.down[p]}} {
			pair[0].packets.Add(pair[1].packets.Load())
			pair[0].bytes.Add(pair[1].bytes.Load())
		}
	}
}

func (s *Server) kernelDrops() (sum uint64) {
	for _, l := range s.udp {
		sum += l.drops()
	}
	return sum
}
