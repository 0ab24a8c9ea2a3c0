package bench

import (
	"testing"
	"time"
)

// batch is how many round trips are measured on one way before the other.
const batch = 500

// BenchmarkRoundTrip measures a small RPC with an empty filter. An iteration
// is a batch on each way; the ratio is that of the medians of such a pair.
func BenchmarkRoundTrip(b *testing.B) {
	for _, kind := range deviceKinds {
		b.Run(kind.name, func(b *testing.B) {
			ways := kind.connect(b)
			roundTrips(b, ways.splice) // both warm up
			roundTrips(b, ways.gateway)
			var splice, gateway []time.Duration
			var ratio spread
			before := cpuTime(b, ways.pid)
			for b.Loop() {
				s, g := roundTrips(b, ways.splice), roundTrips(b, ways.gateway)
				ratio.add(float64(quantile(g, 0.5)) / float64(quantile(s, 0.5)))
				splice, gateway = append(splice, s...), append(gateway, g...)
			}
			noTime(b)
			ratio.report(b, "ratio")
			reportLatency(b, "splice", splice)
			reportLatency(b, "gateway", gateway)
			b.ReportMetric(microseconds(cpuTime(b, ways.pid)-before)/float64(len(gateway)), "gateway-cpu-µs")
		})
	}
}

var smallRequest = request(`<get-config><source><running/></source><filter type="subtree"/></get-config>`)

func roundTrips(b *testing.B, m *manager) []time.Duration {
	took := make([]time.Duration, batch)
	for i := range took {
		begin := time.Now()
		if _, err := m.exchange(smallRequest); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(begin)
	}
	return took
}

func reportLatency(b *testing.B, way string, took []time.Duration) {
	b.ReportMetric(microseconds(quantile(took, 0.5)), way+"-p50-µs")
	b.ReportMetric(microseconds(quantile(took, 0.99)), way+"-p99-µs")
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
