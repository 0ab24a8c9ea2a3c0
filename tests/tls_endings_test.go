package tests

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// onTLSDevices runs the test with each kind of TLS device, in a network that
// can be cut.
func onTLSDevices(t *testing.T, test func(*testing.T, *harness.Network, *harness.Device)) {
	t.Parallel()
	for name, device := range map[string]func(*testing.T, string) *harness.Device{
		"libnetconf2": func(t *testing.T, namespace string) *harness.Device {
			return &harness.NewLibnetconf(t, harness.LibnetconfOptions{TLS: true, Namespace: namespace}).Device
		},
		"simulator": func(t *testing.T, namespace string) *harness.Device {
			return harness.NewSimulatorProcess(t, namespace)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			network := harness.NewNetwork(t)
			test(t, network, device(t, network.Name))
		})
	}
}

// No heartbeat of TLS tells: only what TCP acknowledges.
func TestManagersEndWhenTheNetworkOfATLSDeviceGoesSilent(t *testing.T) {
	onTLSDevices(t, func(t *testing.T, network *harness.Network, d *harness.Device) {
		l := newLab(t, d, harness.Config{Address: network.Here})
		idle := l.connect(t, harness.Base11)
		overTLS := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
		network.CutConnections(t)
		cut := time.Now()
		endsCleanly(t, idle, cut, endsAfterSilence)
		if !overTLS.Ended(endsAfterReset) {
			t.Error("the manager over TLS was not ended")
		}
		t.Logf("ended after %v", time.Since(cut).Round(time.Millisecond))
		l.call.Kill()
		l.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away) // libnetconf2 may have called again
		l.device.CallHome(t, l.Address)
		l.AwaitConnected(t, "edge-1")
		l.mustServe(t)
	})
}

// hasAnotherLink reports whether the device has called again.
func (l *lab) hasAnotherLink(d control.Device) bool {
	return d.Name == "edge-1" && d.State == control.StateConnected && !d.Since.Equal(l.link.Since)
}

func TestARebootedTLSDeviceTakesOverItsHalfOpenLink(t *testing.T) {
	onTLSDevices(t, func(t *testing.T, network *harness.Network, d *harness.Device) {
		l := newLab(t, d, harness.Config{Address: network.Here})
		manager := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
		network.CutConnections(t)
		l.call.Kill()
		called := time.Now()
		l.device.CallHome(t, l.Address)
		l.AwaitDevice(t, takesOverWithin, "the rebooted device to take over", l.hasAnotherLink)
		t.Logf("took over after %v", time.Since(called).Round(time.Millisecond))
		if !manager.Ended(harness.ReplyTimeout) {
			t.Error("the manager on the dead link was not ended")
		}
		l.mustServe(t)
	})
}

// Its kernel acknowledges, so it is there, however long it answers nothing: not
// to the gateway's own requests, and not when another asks for its place.
func TestAFrozenTLSDeviceKeepsItsLink(t *testing.T) {
	const frozen = 15 * time.Second
	onTLSDevices(t, func(t *testing.T, network *harness.Network, d *harness.Device) {
		l := newLab(t, d, harness.Config{Address: network.Here, Callhome: []string{
			`keepalive_interval = "1s"`, `dead_after = "4s"`, `idle_rpc = "2s"`, `reject_delay = "0s"`,
		}})
		manager := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
		device := l.call.(interface{ Signal(os.Signal) })
		device.Signal(syscall.SIGSTOP)
		if err := manager.Send(harness.RPC("7", "<get/>")); err != nil {
			t.Fatal(err)
		}
		l.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be shown as busy", func(d control.Device) bool { return d.Name == "edge-1" && d.Busy })
		harness.NewTLSSimulator(t, l.device.TLS.Certificate, devicesim.Options{Connect: l.CallHomeTLS(), Reconnect: -1})
		l.awaitOutcome(t, callhome.RejectedInUse)
		harness.Throughout(t, frozen, "the link", func() bool { return l.Device(t, "edge-1").Since.Equal(l.link.Since) })
		device.Signal(syscall.SIGCONT)
		if reply, err := manager.Receive(harness.ReplyTimeout); err != nil {
			t.Errorf("the reply to the request meanwhile: %v: %.300s", err, reply)
		}
		l.mustBeTheSameLink(t)
		l.mustServe(t)
	})
}

func TestAManagerThatIsRevokedWhileItIsConnectedIsEnded(t *testing.T) {
	t.Parallel()
	pki := harness.NewPKI(t)
	crl := pki.Managers.NewCRL(t)
	l := tlsSimulatorLab(t, harness.Config{
		PKI: pki, TLS: append(append(pki.ServerLines(), pki.MapLines()...), fmt.Sprintf("crl = [%q]", crl)),
	}, devicesim.Options{})
	fired := pki.Managers.Issue(t, harness.Subject{CommonName: "noc"})
	target := l.edge1TLS()
	stays := harness.ConnectTLS(t, target, harness.Base11)
	target.Certificate = fired
	goes := harness.ConnectTLS(t, target, harness.Base11)
	pki.Managers.WriteCRL(t, crl, fired)
	if !goes.Ended(harness.ReplyTimeout) {
		t.Fatal("the manager is still connected")
	}
	l.Output.Await(t, harness.ReplyTimeout, "the manager's certificate was revoked")
	answersWithin(t, stays, harness.ReplyTimeout)
	l.mustBeTheSameLink(t)
}
