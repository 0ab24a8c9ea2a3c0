package gateway_test

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/netconf"
)

// The same manager and device, once through a bare TCP splice and once through
// the gateway: what counts is the ratio of the two.

func BenchmarkRoundTrip(b *testing.B) {
	for _, path := range paths {
		b.Run(path.name, func(b *testing.B) {
			manager := path.connect(b)
			request := []byte(`<rpc xmlns="` + netconf.NamespaceBase + `" message-id="101"><get-config><source><running/></source></get-config></rpc>`)
			took := make([]time.Duration, 0, 1<<16)
			for b.Loop() {
				begin := time.Now()
				exchange(b, manager, request)
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

func BenchmarkThroughput(b *testing.B) {
	const size = 32 << 20
	for _, path := range paths {
		b.Run(path.name, func(b *testing.B) {
			manager := path.connect(b)
			request := fmt.Appendf(nil, `<rpc xmlns="%s" message-id="1"><blob xmlns="%s"><size>%d</size></blob></rpc>`,
				netconf.NamespaceBase, devicesim.NamespaceSim, size)
			b.SetBytes(size)
			for b.Loop() {
				if n := exchange(b, manager, request); n < size {
					b.Fatalf("a reply of %d bytes", n)
				}
			}
		})
	}
}

func BenchmarkUpload(b *testing.B) {
	const size = 8 << 20
	for _, path := range paths {
		b.Run(path.name, func(b *testing.B) {
			manager := path.connect(b)
			request := fmt.Appendf(nil, `<rpc xmlns="%s" message-id="1"><sink xmlns="%s">%s</sink></rpc>`,
				netconf.NamespaceBase, devicesim.NamespaceSim, slices.Repeat([]byte("0123456789abcdef"), size/16))
			b.SetBytes(size)
			for b.Loop() {
				exchange(b, manager, request)
			}
		})
	}
}

// The splices are the yardsticks: one for SSH, one for TLS.
var paths = []struct {
	name    string
	connect func(b *testing.B) *netconf.Conn
}{
	{"splice", splice(callhome.SSH)},
	{"gateway", gatewayFor(callhome.SSH, gateway.SessionsOwn)},
	{"gateway-shared", gatewayFor(callhome.SSH, gateway.SessionsShared)},
	{"tls-splice", splice(callhome.TLS)},
	{"tls-gateway", gatewayFor(callhome.TLS, gateway.SessionsShared)},
}

func exchange(b *testing.B, c *netconf.Conn, request []byte) int64 {
	if err := c.WriteDocument(request); err != nil {
		b.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, m.Body)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
