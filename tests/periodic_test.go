package tests

import (
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// A device with a periodic connection calls, is left alone and is hung up on; a
// manager that comes in between waits for its next call.
func TestAManagerWaitsForADeviceThatCallsNowAndThen(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "pinned"`},
		Gateway:  []string{`wait = "20s"`},
		Blocks:   []string{harness.SimulatorUser("fleet"), harness.SessionEntry("edge-1", key, "fleet", devicePort, `idle_close = "500ms"`)},
	})
	harness.NewSimulator(t, key, devicesim.Options{Connect: g.CallHome(), Reconnect: 2 * time.Second})
	g.AwaitConnected(t, "edge-1")
	away := func(d control.Device) bool { return d.Name == "edge-1" && d.State == control.StateAway }
	for range 2 {
		g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be hung up on", away)
		s := harness.Connect(t, g.Target(devicePort), harness.Base11) // waits for the next call
		before := g.AwaitConnected(t, "edge-1")
		for begin := time.Now(); time.Since(begin) < time.Second; { // longer than idle_close
			if _, err := s.GetConfig("running"); err != nil {
				t.Fatalf("the device was hung up on while a manager used it: %v", err)
			}
		}
		if now := g.AwaitConnected(t, "edge-1"); !now.Since.Equal(before.Since) {
			t.Errorf("the link is of %s, was of %s", now.Since, before.Since)
		}
		s.Close()
	}
	g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be hung up on again", away)
}
