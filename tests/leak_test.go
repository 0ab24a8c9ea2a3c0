package tests

import (
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

func TestNothingIsLeftOverAfter200Rounds(t *testing.T) {
	t.Parallel()
	g, s := simulatorLab(t, harness.Config{Callhome: []string{`reject_delay = "10ms"`}}, devicesim.Options{Reconnect: 10 * time.Millisecond})
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
		letInAgain(t, g, d)
		return d.Name == "edge-1" && d.State == control.StateConnected && !d.Since.Equal(before.Since)
	})
}

// letInAgain is what an operator does about a device that was lost so often that
// it is kept out for a while.
func letInAgain(t *testing.T, g *harness.Gateway, d control.Device) {
	t.Helper()
	if d.LastOutcome == nil || d.LastOutcome.Reason != string(callhome.RejectedFlapping) {
		return
	}
	if _, err := g.Control().ClearFailures(t.Context(), control.FailureFilter{Device: d.Name}); err != nil {
		t.Fatal(err)
	}
}
