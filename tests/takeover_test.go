package tests

import (
	"net/netip"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

const takesOverWithin = 8 * time.Second

// The old link is half open for good: the device was switched off, and nobody
// tells the gateway.
func TestARebootedDeviceTakesOverItsHalfOpenLink(t *testing.T) {
	t.Parallel()
	overBoth(t, aRebootedDeviceTakesOver)
}

func aRebootedDeviceTakesOver(t *testing.T, options harness.LibnetconfOptions) {
	network := harness.NewNetwork(t)
	options.Namespace = network.Name
	d := harness.NewLibnetconf(t, options)
	l := newLab(t, &d.Device, harness.Config{Address: network.Here}, `address = "`+network.There+`"`)
	manager := l.connect(t, harness.Base11)
	network.CutConnections(t)
	l.call.Kill()

	stranger := harness.NewLibnetconf(t, options)
	knocking := stranger.CallHome(t, l.Address)
	l.awaitOutcome(t, callhome.RejectedKeyChanged)
	l.mustBeTheSameLink(t)
	knocking.Kill()

	called := time.Now()
	l.device.CallHome(t, l.Address)
	l.AwaitDevice(t, takesOverWithin, "the rebooted device to take over", func(d control.Device) bool {
		return d.Name == "edge-1" && d.State == control.StateConnected && !d.Since.Equal(l.link.Since)
	})
	t.Logf("took over after %v", time.Since(called).Round(time.Millisecond))
	if !manager.Ended(harness.ReplyTimeout) {
		t.Error("the manager on the dead link was not ended")
	}
	l.mustServe(t)
}

// A host key can be shown by whoever relays it; only the login tells that the
// device is there.
func TestACallThatDoesNotLogInTakesNothingOver(t *testing.T) {
	t.Parallel()
	overBoth(t, aCallThatDoesNotLogInTakesNothingOver)
}

func aCallThatDoesNotLogInTakesNothingOver(t *testing.T, options harness.LibnetconfOptions) {
	network := harness.NewNetwork(t)
	options.Namespace = network.Name
	d := harness.NewLibnetconf(t, options)
	l := newLab(t, &d.Device, harness.Config{Address: network.Here})
	network.CutConnections(t)
	if options.TLS {
		harness.NewTLSSimulator(t, d.TLS.Certificate, devicesim.Options{
			Connect: l.CallHomeTLS(), Reconnect: -1, TLS: &devicesim.TLS{RefuseClients: true},
		})
	} else {
		harness.NewSimulator(t, d.HostKey, devicesim.Options{
			Connect: l.CallHome(), Username: d.Username, Password: "another", Reconnect: -1,
		})
	}
	l.awaitOutcome(t, callhome.FailedLogin)
	l.mustBeTheSameLink(t)
}

func TestASecondCallIsRejectedWhileTheFirstIsHealthy(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			manager := l.connect(t, harness.Base11)
			l.device.CallHome(t, l.Address)
			l.awaitOutcome(t, callhome.RejectedInUse)
			answersWithin(t, manager.Session, harness.ReplyTimeout)
			l.mustBeTheSameLink(t)
		})
	}
}

func TestANeighbourBehindTheSameAddressHarmsNobody(t *testing.T) {
	t.Parallel()
	source := harness.Address(t)
	d := harness.NewNetconfd(t, harness.NetconfdOptions{})
	g := harness.StartGateway(t, harness.Config{Blocks: []string{
		d.UserEntry("fleet"), d.SessionEntry("edge-1", "fleet", devicePort, `address = "`+source+`"`),
	}})
	d.CallHomeFrom(t, source, g.CallHome())
	l := &lab{Gateway: g, device: &d.Device, link: g.AwaitConnected(t, "edge-1")}
	stranger := harness.NewSimulator(t, harness.NewKey(t), devicesim.Options{
		Connect: g.CallHome(), Source: netip.MustParseAddr(source), Reconnect: -1,
	})
	l.awaitOutcome(t, callhome.RejectedKeyChanged)
	if asked := stranger.Auth.String(); asked != "" {
		t.Errorf("the stranger was asked to log in: %s", asked)
	}
	l.mustBeTheSameLink(t)
	l.mustServe(t)
}

// awaitOutcome waits for a call of edge-1 that ended so.
func (l *lab) awaitOutcome(t *testing.T, reason callhome.Reason) control.Device {
	t.Helper()
	return awaitOutcome(t, l.Gateway, reason, func(d control.Device) bool { return d.Name == "edge-1" })
}

func awaitOutcome(t *testing.T, g *harness.Gateway, reason callhome.Reason, which func(control.Device) bool) control.Device {
	t.Helper()
	return g.AwaitDevice(t, harness.ReplyTimeout, "a call to end as "+string(reason), func(d control.Device) bool {
		return which(d) && d.LastOutcome != nil && d.LastOutcome.Reason == string(reason)
	})
}
