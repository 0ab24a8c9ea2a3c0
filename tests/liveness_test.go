package tests

import (
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/tests/harness"
)

const (
	endsAfterReset   = 2 * time.Second
	endsAfterSilence = 50 * time.Second
)

func TestManagersEndWhenTheDeviceIsKilledAndFindItOnTheSamePortAgain(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			d := device.make(t)
			g := harness.StartGateway(t, harness.Config{Blocks: []string{
				d.UserEntry("fleet"), d.SessionEntry("edge-1", "fleet", 0), // a port out of gateway.ports
			}})
			call := d.CallHome(t, g.Address)
			port := int(awaitPort(t, g))
			managers := []*harness.Subsystem{
				harness.ConnectTo(t, d, g.Target(port), harness.Base10),
				harness.ConnectTo(t, d, g.Target(port), harness.Base11),
			}
			call.Kill()
			killed := time.Now()
			for _, m := range managers {
				endsCleanly(t, m, killed, endsAfterReset)
			}
			g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away)
			d.CallHome(t, g.Address)
			if again := int(awaitPort(t, g)); again != port {
				t.Errorf("the port was %d and is %d", port, again)
			}
			answersWithin(t, harness.ConnectTo(t, d, g.Target(port), harness.Base11).Session, harness.ReplyTimeout)
		})
	}
}

// awaitPort returns the port of edge-1 once it is connected and has one.
func awaitPort(t *testing.T, g *harness.Gateway) uint16 {
	t.Helper()
	return g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be connected, on a port", func(d control.Device) bool {
		return d.Name == "edge-1" && d.State == control.StateConnected && d.Port != 0
	}).Port
}

func away(d control.Device) bool { return d.Name == "edge-1" && d.State == control.StateAway }

// endsCleanly waits for the end: an exit status, and no invented reply.
func endsCleanly(t *testing.T, m *harness.Subsystem, since time.Time, within time.Duration) {
	t.Helper()
	message, err := m.Receive(within - time.Since(since))
	if err == nil {
		t.Errorf("a manager that asked nothing was told %.300q", message)
	}
	if took := time.Since(since); took > within {
		t.Errorf("a manager session ended only after %v", took)
	}
	if _, err := m.ExitStatus(); err != nil {
		t.Errorf("a manager session ended without an exit status: %v", err)
	}
}

// A relay on loopback would acknowledge for the device: only a network of its
// own can really be silent.
func TestManagersEndWhenTheNetworkGoesSilent(t *testing.T) {
	t.Parallel()
	network := harness.NewNetwork(t)
	d := harness.NewLibnetconf(t, harness.LibnetconfOptions{Namespace: network.Name})
	l := newLab(t, &d.Device, harness.Config{Address: network.Here})
	idle := l.connect(t, harness.Base11)
	network.CutConnections(t)
	cut := time.Now()
	endsCleanly(t, idle, cut, endsAfterSilence)
	t.Logf("ended after %v", time.Since(cut).Round(time.Millisecond))
	l.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away)
	l.call.Kill()
	l.device.CallHome(t, l.Address)
	l.AwaitConnected(t, "edge-1")
	l.mustServe(t)
}

// libnetconf2 with one thread answers nothing on the connection during an RPC,
// SSH keepalives included; TCP acknowledges all the time.
func TestADeviceThatIsBusyForAMinuteKeepsItsLink(t *testing.T) {
	t.Parallel()
	const busy = 60 * time.Second
	d := harness.NewLibnetconf(t, harness.LibnetconfOptions{Threads: 1})
	l := newLab(t, &d.Device, harness.Config{})
	s := l.connect(t, harness.Base11)
	if err := s.Send(harness.RPC("5", harness.Sleep(busy))); err != nil {
		t.Fatal(err)
	}
	l.AwaitDevice(t, busy, "edge-1 to be shown as busy", func(d control.Device) bool { return d.Name == "edge-1" && d.Busy })
	l.mustBeTheSameLink(t)
	reply, err := s.Receive(busy + harness.ReplyTimeout)
	if err != nil || !strings.Contains(reply, `message-id="5"`) || strings.Contains(reply, "rpc-error") {
		t.Fatalf("the reply to the long request: %v: %s", err, reply)
	}
	l.AwaitDevice(t, harness.ReplyTimeout, "edge-1 not to be busy any more", func(d control.Device) bool { return d.Name == "edge-1" && !d.Busy })
	l.mustBeTheSameLink(t)
	l.mustServe(t)
}

// libnetconf2 closes a call that has no NETCONF session on it after 10 s.
func TestAnIdleDeviceKeepsItsLink(t *testing.T) {
	t.Parallel()
	overBoth(t, anIdleDeviceKeepsItsLink)
}

func anIdleDeviceKeepsItsLink(t *testing.T, o harness.LibnetconfOptions) {
	d := harness.NewLibnetconf(t, o)
	l := newLab(t, &d.Device, harness.Config{Callhome: []string{`keepalive_interval = "2s"`, `idle_rpc = "3s"`}})
	harness.Throughout(t, 15*time.Second, "the link", func() bool {
		return l.Device(t, "edge-1").Since.Equal(l.link.Since)
	})
	l.mustBeTheSameLink(t)
	l.mustServe(t)
}
