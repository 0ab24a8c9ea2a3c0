package daemon

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	memoryTick = 5 * time.Second
	// busyCycles is how many collections in one tick make the process busy.
	busyCycles = 2
	// quietTicks is how many ticks it must not be busy before memory is returned.
	quietTicks = 2
)

// growth is how much the heap may grow before it is collected: a share of what
// is in use, and at least a number of bytes, without which a gateway with few
// devices would do nothing but collect while it relays.
type growth struct{ percent, bytes uint64 }

var (
	// Ten thousand idle devices make next to no garbage.
	quietGrowth = growth{10, 8 << 20}
	// Storms of calls and large replies make much: x/crypto/ssh allocates
	// every packet.
	busyGrowth = growth{12, 8 << 20}
)

// callGrowth is how much the heap may grow for each call of a storm that is in
// progress: about what one makes before it is a link. Collecting would else take
// as long as the key exchanges.
const callGrowth = 128 << 10

// apply sets the growth from what is in use now, and the calls of a storm.
func (g growth) apply(storm int) {
	used := memoryInUse()
	bytes := max(g.bytes, uint64(storm)*callGrowth)
	debug.SetGCPercent(int(max(g.percent, 100*bytes/max(used, 1<<20))))
}

// stormGauge tells a storm of devices from a flood of strangers, which lasts,
// and is to take no memory: devices are let in.
type stormGauge struct {
	// calls tells how many are in progress, and accepted how many have become
	// links, ever.
	calls, accepted func() int
	// atLast and atLastButOne are what accepted was at the last two ticks.
	atLast, atLastButOne int
}

func (s *stormGauge) tick() { s.atLast, s.atLastButOne = s.accepted(), s.atLast }

// size returns how many calls are in progress, but no more than were accepted in
// the last one or two ticks.
func (s *stormGauge) size() int { return min(s.calls(), s.accepted()-s.atLastButOne) }

// tuneMemory keeps the memory of a quiet gateway near what its devices need,
// and returns what a storm of handshakes or a large reply has left behind. It
// leaves everything to the runtime where GOGC or GOMEMLIMIT is set.
func tuneMemory(ctx context.Context, storm *stormGauge) error {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	ticker := time.NewTicker(memoryTick)
	defer ticker.Stop()
	collected := afterCollection()
	for now, cycles, quiet := busyGrowth, 0, 0; ; {
		now.apply(storm.size())
		select {
		case <-ctx.Done():
			return nil
		case <-collected:
			// What is in use has changed, and with it the share.
			collected = afterCollection()
			cycles++
			continue
		case <-ticker.C:
			storm.tick()
		}
		if cycles >= busyCycles {
			now, quiet = busyGrowth, 0
		} else if quiet++; quiet == quietTicks {
			now = quietGrowth
			debug.FreeOSMemory()
		}
		cycles = 0
	}
}

// afterCollection returns a channel that is closed after the next collection.
func afterCollection() <-chan struct{} {
	collected := make(chan struct{})
	runtime.AddCleanup(new(*byte), func(c chan struct{}) { close(c) }, collected)
	return collected
}

// memoryInUse is what the collector goes by: live heap and stacks, in bytes.
func memoryInUse() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}
