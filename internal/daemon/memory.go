package daemon

import (
	"context"
	"os"
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
	// The heap may grow by this much, in percent of what is in use, before it
	// is collected: little while ten thousand idle devices make next to no
	// garbage, and more in a storm of calls or during large replies.
	quietPercent = 10
	busyPercent  = 50
)

// tuneMemory keeps the memory of a quiet gateway near what its devices need,
// and returns what a storm of handshakes or a large reply has left behind. It
// leaves everything to the runtime where GOGC or GOMEMLIMIT is set.
func tuneMemory(ctx context.Context) error {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	defer debug.SetGCPercent(debug.SetGCPercent(busyPercent))
	ticker := time.NewTicker(memoryTick)
	defer ticker.Stop()
	quiet, before := 0, automaticCollections()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := automaticCollections()
		if now-before >= busyCycles {
			quiet = 0
			debug.SetGCPercent(busyPercent)
		} else if quiet++; quiet == quietTicks {
			debug.SetGCPercent(quietPercent)
			debug.FreeOSMemory()
		}
		before = now
	}
}

// automaticCollections counts those that the growth of the heap has caused.
func automaticCollections() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
