package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callhome-gateway/tests/harness"
)

const (
	stormSize = 5000
	// stormRounds is how many storms there are at least on each way.
	stormRounds = 3
)

// BenchmarkStorm lets thousands of devices in another process call at one
// moment, all of them known, and measures from there to when the last one is
// attached. Beside it stand two bare loops over the same devices: one that does
// the handshake and the login, and one that opens the NETCONF session as well,
// as the gateway must. An iteration is a storm on each way. In rate-of-… and
// cpu-of-… more than 1 is better than the loop, and the ratio that of a round.
func BenchmarkStorm(b *testing.B) {
	ways := []*stormWay{
		{name: "gateway", start: startStormGateway},
		{name: "handshake", start: func(b *testing.B, _ *harness.Fleet) stormTarget { return startBareClient(b, bareHandshake) }},
		{name: "session", start: func(b *testing.B, _ *harness.Fleet) stormTarget { return startBareClient(b, bareSession) }},
	}
	round := func() {
		for _, way := range ways {
			way.storm(b)
		}
	}
	for b.Loop() {
		round()
	}
	for len(ways[0].rate) < stormRounds {
		round()
	}
	noTime(b)
	for i, way := range ways {
		b.ReportMetric(way.rate.median(), way.name+"-devices/s")
		b.ReportMetric(way.cpu.median(), way.name+"-cpu-ms/device")
		if i > 0 {
			ways[0].rate.over(way.rate).report(b, "rate-of-"+way.name)
			way.cpu.over(ways[0].cpu).report(b, "cpu-of-"+way.name)
		}
	}
}

// stormWay is one of the programs that devices call.
type stormWay struct {
	name  string
	start func(*testing.B, *harness.Fleet) stormTarget
	rate  spread // devices a second
	cpu   spread // milliseconds for each device
}

// stormTarget is such a program at work: what it writes tells how many devices
// it has attached.
type stormTarget struct {
	*harness.Process
	address, attached string
}

func (w *stormWay) storm(b *testing.B) {
	fleet := harness.NewFleet(b, "edge", stormSize)
	target := w.start(b, fleet)
	before := cpuTime(b, target.PID())
	// from an address each, as in the field
	fleet.CallHome(b, target.address, "--source", "127.3.0.0/16", "--log-level", "error")
	fleet.Output.Await(b, patience, fleet.Device(stormSize-1)+" ") // it tells all keys before the first call
	begin := time.Now()
	harness.Eventually(b, patience, "all devices to be attached", func() bool {
		return strings.Count(target.Output.String(), target.attached) >= stormSize
	})
	w.rate.add(stormSize / time.Since(begin).Seconds())
	w.cpu.add(float64((cpuTime(b, target.PID()) - before).Microseconds()) / 1000 / stormSize)
	fleet.Kill()
	target.Kill()
}

func startStormGateway(b *testing.B, fleet *harness.Fleet) stormTarget {
	blocks := []string{harness.SimulatorUser("fleet")}
	for i := range fleet.Keys {
		blocks = append(blocks, fleet.Entry(i, "fleet", 0))
	}
	g := startGateway(b, []string{`trust = "pinned"`, fmt.Sprintf("max_calls = %d", 2*stormSize)}, nil, blocks...)
	return stormTarget{g.Process, g.callHome(), "a device is connected"}
}

// over returns the ratios of two figures, round by round.
func (s spread) over(other spread) spread {
	ratios := make(spread, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}
