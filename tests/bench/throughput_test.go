package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/devicesim"
)

const (
	// replySize is the length of the large reply's content.
	replySize = 256 << 20
	// minRounds is how many rounds a spread takes, however long they last.
	minRounds = 5
)

// BenchmarkThroughput measures a large reply of the simulator: netconfd has
// none. An iteration is one reply on each way.
func BenchmarkThroughput(b *testing.B) {
	for _, kind := range deviceKinds {
		if !strings.HasPrefix(kind.name, "openssh") {
			b.Run(kind.name, func(b *testing.B) { throughput(b, kind.connect(b)) })
		}
	}
}

func throughput(b *testing.B, ways paths) {
	reply(b, ways.splice, replySize/8) // both warm up
	reply(b, ways.gateway, replySize/8)
	var splice, gateway, ratio spread
	before := cpuTime(b, ways.pid)
	round := func() {
		s, g := reply(b, ways.splice, replySize), reply(b, ways.gateway, replySize)
		splice.add(s)
		gateway.add(g)
		ratio.add(g / s)
	}
	for b.Loop() {
		round()
	}
	for len(ratio) < minRounds {
		round()
	}
	noTime(b)
	ratio.report(b, "ratio")
	b.ReportMetric(splice.median(), "splice-MB/s")
	b.ReportMetric(gateway.median(), "gateway-MB/s")
	gib := float64(len(gateway)) * replySize / (1 << 30)
	b.ReportMetric((cpuTime(b, ways.pid)-before).Seconds()/gib, "gateway-cpu-s/GiB")
}

// reply reads a reply of that size and returns the rate in MB/s.
func reply(b *testing.B, m *manager, size int) float64 {
	begin := time.Now()
	n, err := m.exchange(blobRequest(size))
	if err != nil {
		b.Fatal(err)
	}
	if n < size {
		b.Fatalf("a reply of %d bytes instead of %d", n, size)
	}
	return float64(size) / 1e6 / time.Since(begin).Seconds()
}

func blobRequest(size int) []byte {
	return request(fmt.Sprintf(`<blob xmlns="%s"><size>%d</size></blob>`, devicesim.NamespaceSim, size))
}
