package tests

import (
	"testing"

	"callhome-gateway/tests/harness"
)

// stormMaxCalls is for a machine that is slow enough to let some wait for the
// eight seconds after which their calls are dropped, more than once.
const stormMaxCalls = 10

// These tests are not parallel: each keeps all processors busy.

func TestAThousandDevicesThatCallAtOnceAllAttach(t *testing.T) {
	storm(t, 1000)
}

// A key exchange takes slow processors a second, and distant devices wait as
// long for each answer. They are more than handshakes may be in progress.
func TestSlowDevicesThatCallAtOnceAllAttach(t *testing.T) {
	storm(t, 700, "--latency", "1s")
}

func storm(t *testing.T, size int, flags ...string) {
	t.Helper()
	fleet := harness.NewFleet(t, "edge", size)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "pinned"`, `users = ["fleet"]`},
		Blocks:   append(entriesOf(fleet, size, noUser), harness.SimulatorUser("fleet")),
	})
	fleet.CallHome(t, g.CallHome(), append(flags, "--source", "127.3.0.0/16")...)
	awaitFleet(t, g, fleet)
	reportCalls(t, fleet, "in the storm", 0, size, stormMaxCalls)
}
