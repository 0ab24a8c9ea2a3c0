package tests

import (
	"fmt"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

const junosSecret = "only between the two"

// junosGateway knows edge-1 by its DEVICE-ID and a secret, and no key of it.
func junosGateway(t *testing.T) *harness.Gateway {
	t.Helper()
	return harness.StartGateway(t, harness.Config{
		Callhome: []string{`users = ["fleet"]`, `reject_delay = "100ms"`},
		Blocks: []string{harness.SimulatorUser("fleet"), fmt.Sprintf(
			"session \"edge-1\" {\n  device_id = \"mx480-7\"\n  device_secret = %q\n  port = %d\n}\n", junosSecret, devicePort)},
	})
}

func TestAJunosDeviceIsKnownByItsSecret(t *testing.T) {
	t.Parallel()
	g := junosGateway(t)
	key := harness.NewKey(t)
	harness.NewSimulator(t, key, devicesim.Options{
		Name: "the router", Connect: g.CallHome(), Junos: &devicesim.Junos{DeviceID: "mx480-7", Secret: junosSecret},
	})
	if d := g.AwaitConnected(t, "edge-1"); d.Identity != key.Fingerprint() {
		t.Errorf("it is known by %s, want %s", d.Identity, key.Fingerprint())
	}
	mustAnswerAs(t, g, devicePort, "the router")
}

func TestAJunosDeviceWithTheWrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	g := junosGateway(t)
	s := harness.NewSimulator(t, harness.NewKey(t), devicesim.Options{
		Connect: g.CallHome(), Reconnect: 100 * time.Millisecond, Junos: &devicesim.Junos{DeviceID: "mx480-7", Secret: "a guess"},
	})
	g.Output.Await(t, harness.ReplyTimeout, "the HMAC of its HOST-KEY was not made with the device_secret of session edge-1")
	g.Output.Await(t, harness.ReplyTimeout, "reason="+string(callhome.RejectedUntrusted))
	if asked := s.Auth.String(); asked != "" {
		t.Errorf("it was asked to log in: %s", asked)
	}
}

// What a device calls itself proves nothing: it does not get at the name, and
// the one that has the name does not notice.
func TestAClaimWithoutASecretHarmsNobody(t *testing.T) {
	t.Parallel()
	g := junosGateway(t)
	harness.NewSimulator(t, harness.NewKey(t), devicesim.Options{
		Name: "the router", Connect: g.CallHome(), Junos: &devicesim.Junos{DeviceID: "mx480-7", Secret: junosSecret},
	})
	before := g.AwaitConnected(t, "edge-1")
	for _, id := range []string{"mx480-7", "edge-1"} {
		key := harness.NewKey(t)
		s := harness.NewSimulator(t, key, devicesim.Options{
			Connect: g.CallHome(), Reconnect: 100 * time.Millisecond, Junos: &devicesim.Junos{DeviceID: id},
		})
		g.AwaitDevice(t, harness.ReplyTimeout, "the claim to "+id+" to be listed without a name", func(d control.Device) bool {
			return isPending(d) && d.Identity == key.Fingerprint() && d.Name == "" && d.Calls >= 3
		})
		if asked := s.Auth.String(); asked != "" {
			t.Errorf("the device that calls itself %s was asked to log in: %s", id, asked)
		}
	}
	if now := g.Device(t, "edge-1"); now.Identity != before.Identity || !now.Since.Equal(before.Since) || now.State != control.StateConnected {
		t.Errorf("edge-1 was %+v and is %+v", before, now)
	}
	mustAnswerAs(t, g, devicePort, "the router")
}
