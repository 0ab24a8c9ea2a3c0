package gateway_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/audit"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/netconf"

	"github.com/hashicorp/go-hclog"
)

// The same manager and device through two gateways, in turns: one that neither
// records nor restricts what the manager asks for, and one that does both, with
// the text of each request. An iteration is a batch on each; the ratios are those
// of its medians.

func BenchmarkAuditRoundTrip(b *testing.B) {
	const batch = 300
	request := []byte(`<rpc xmlns="` + netconf.NamespaceBase + `" message-id="101"><get-config><source><running/></source></get-config></rpc>`)
	measure := func(c *netconf.Conn) float64 {
		took := make([]time.Duration, batch)
		for i := range took {
			begin := time.Now()
			exchange(b, c, request)
			took[i] = time.Since(begin)
		}
		slices.Sort(took)
		return float64(took[batch/2]) / float64(time.Microsecond)
	}
	withAndWithout(b, "p50-µs", measure)
}

// BenchmarkAuditThroughput has a large reply of text, and one of elements, which
// are the harder to find a result among.
func BenchmarkAuditThroughput(b *testing.B) {
	for name, argument := range map[string]string{"text": "", "elements": "<elements/>"} {
		b.Run(name, func(b *testing.B) {
			const size = 64 << 20
			request := fmt.Appendf(nil, `<rpc xmlns="%s" message-id="1"><get-config><source><running/></source><filter><blob xmlns="%s"><size>%d</size>%s</blob></filter></get-config></rpc>`,
				netconf.NamespaceBase, devicesim.NamespaceSim, size, argument)
			withAndWithout(b, "MB/s", func(c *netconf.Conn) float64 {
				begin := time.Now()
				n := exchange(b, c, request)
				if n < size*9/10 {
					b.Fatalf("a reply of %d bytes", n)
				}
				return float64(n) / 1e6 / time.Since(begin).Seconds()
			})
		})
	}
}

// withAndWithout measures both ways in turns, for own and for shared sessions.
func withAndWithout(b *testing.B, unit string, measure func(*netconf.Conn) float64) {
	for _, mode := range []gateway.SessionMode{gateway.SessionsOwn, gateway.SessionsShared} {
		b.Run(mode.String(), func(b *testing.B) {
			ways := []*netconf.Conn{gatewayFor(callhome.SSH, mode)(b), gatewayFor(callhome.SSH, mode, audited(b))(b)}
			for _, way := range ways {
				measure(way) // warms up
			}
			var figures [2][]float64
			var ratios []float64
			for round := 0; b.Loop(); round++ {
				for i := range ways {
					i = (i + round) % len(ways) // each goes first half of the time
					figures[i] = append(figures[i], measure(ways[i]))
				}
				ratios = append(ratios, figures[1][round]/figures[0][round])
			}
			b.ReportMetric(0, "ns/op") // means nothing
			b.ReportMetric(median(figures[0]), "without-"+unit)
			b.ReportMetric(median(figures[1]), "with-"+unit)
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

func median(figures []float64) float64 {
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// audited turns on all that can be.
func audited(b *testing.B) func(*gateway.Options) {
	log := audit.New(hclog.NewNullLogger())
	b.Cleanup(func() { log.Close() })
	err := log.Use(audit.Options{File: filepath.Join(b.TempDir(), "audit.log"), AllBodies: true, BodyLimit: 16 << 10, Stop: true})
	if err != nil {
		b.Fatal(err)
	}
	return func(o *gateway.Options) {
		o.Recorder = log
		o.Managers[0].Access = auth.Access{ReadOnly: true}
	}
}
