package tests

import (
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

func TestNothingIsLeftOverAfter200Rounds(t *testing.T) {
	t.Parallel()
	g, s := simulatorLab(t, harness.Config{}, devicesim.Options{Reconnect: 10 * time.Millisecond})
	round(t, g, s) // what is made once is made now
	files, goroutines := g.Files(t), g.Status(t).Goroutines
	for range 200 {
		round(t, g, s)
	}
	settled := func() bool { return g.Files(t) <= files && g.Status(t).Goroutines <= goroutines }
	if !harness.Within(harness.ReplyTimeout, settled) {
		t.Errorf("there were %d files and %d goroutines, and are %d and %d", files, goroutines, g.Files(t), g.Status(t).Goroutines)
	}
}

// round is one manager that comes and goes, and then one device.
func round(t *testing.T, g *harness.Gateway, s *harness.Simulator) {
	t.Helper()
	client := harness.Dial(t, g.Target(devicePort))
	m := harness.OpenSession(t, client, harness.Base11)
	answersWithin(t, m.Session, harness.ReplyTimeout)
	client.Close()
	before := g.Device(t, "edge-1")
	s.Drop()
	g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be back", func(d control.Device) bool {
		return d.Name == "edge-1" && d.State == control.StateConnected && !d.Since.Equal(before.Since)
	})
}
