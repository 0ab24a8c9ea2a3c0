package bench

import (
	"slices"
	"testing"
	"time"
)

// spread is a figure of several rounds.
type spread []float64

func (s *spread) add(x float64) { *s = append(*s, x) }

func (s spread) median() float64 { return quantile(s, 0.5) }

// report tells the median under the name, and the extremes beside it.
func (s spread) report(b *testing.B, name string) {
	b.ReportMetric(slices.Min(s), name+"-min")
	b.ReportMetric(s.median(), name)
	b.ReportMetric(slices.Max(s), name+"-max")
}

// quantile returns the element at q, between 0 and 1, of the values in order.
func quantile[T float64 | time.Duration](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// noTime drops the time of an iteration from the report, which is that of a
// whole round and means nothing.
func noTime(b *testing.B) { b.ReportMetric(0, "ns/op") }
