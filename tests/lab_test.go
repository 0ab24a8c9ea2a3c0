package tests

import (
	"fmt"
	"testing"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// lab is a gateway with one device of each kind on it: what most tests need.
type lab struct {
	*harness.Gateway
	device *harness.Device
	call   harness.Call
	link   control.Device
}

// devicePort is the forward port of the device named edge-1.
const devicePort = 20001

// deviceTLSPort is its forward port for TLS.
const deviceTLSPort = 21001

// deviceKinds makes the two real devices on which every manager has a session
// of its own, for tests that must hold on both.
func deviceKinds() []deviceKind {
	return []deviceKind{
		{"netconfd", func(t *testing.T) *harness.Device {
			return &harness.NewNetconfd(t, harness.NetconfdOptions{Candidate: true}).Device
		}},
		{"libnetconf2", func(t *testing.T) *harness.Device {
			return &harness.NewLibnetconf(t, harness.LibnetconfOptions{Tick: tick}).Device
		}},
	}
}

// sharedKinds makes devices on which all managers share one session: those that
// call over TLS have no other, and the others are told to.
func sharedKinds() []deviceKind {
	var kinds []deviceKind
	for _, kind := range deviceKinds() {
		kinds = append(kinds, deviceKind{"shared " + kind.name, func(t *testing.T) *harness.Device {
			d := kind.make(t)
			d.Entry = append(d.Entry, `sessions = "shared"`)
			return d
		}})
	}
	return append(kinds, tlsKinds()...)
}

// tlsKinds makes the devices that call home over TLS.
func tlsKinds() []deviceKind {
	return []deviceKind{
		{"libnetconf2 over TLS", func(t *testing.T) *harness.Device {
			return &harness.NewLibnetconf(t, harness.LibnetconfOptions{TLS: true, Tick: tick}).Device
		}},
		{"simulator over TLS", func(t *testing.T) *harness.Device {
			return harness.NewSimulatedDevice(t, devicesim.Options{Heartbeat: tick})
		}},
	}
}

// allKinds are both: what a manager sees must not differ.
func allKinds() []deviceKind { return append(deviceKinds(), sharedKinds()...) }

// overBoth runs a test with a libnetconf2 device over SSH and with one over TLS.
func overBoth(t *testing.T, test func(t *testing.T, o harness.LibnetconfOptions)) {
	t.Helper()
	for name, overTLS := range map[string]bool{"SSH": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, harness.LibnetconfOptions{TLS: overTLS})
		})
	}
}

type deviceKind struct {
	name string
	make func(t *testing.T) *harness.Device
}

// newLab starts a gateway that knows the device as edge-1, and returns when
// the device is connected. More lines go into the device's session entry.
func newLab(t *testing.T, device *harness.Device, c harness.Config, session ...string) *lab {
	t.Helper()
	session = append(session, fmt.Sprintf("tls_port = %d", deviceTLSPort))
	c.Blocks = append(c.Blocks, device.UserEntry("fleet"), device.SessionEntry("edge-1", "fleet", devicePort, session...))
	l := &lab{Gateway: harness.StartGateway(t, c), device: device}
	l.call = device.CallHome(t, l.Address)
	l.link = l.AwaitConnected(t, "edge-1")
	return l
}

// edge1 is the device's own endpoint.
func (l *lab) edge1() harness.Target { return l.Target(devicePort) }

// edge1TLS is its endpoint for TLS.
func (l *lab) edge1TLS() harness.TLSTarget { return l.TLSTarget(deviceTLSPort) }

// connect opens a manager session with the device on a connection of its own.
func (l *lab) connect(t *testing.T, bases ...string) *harness.Subsystem {
	t.Helper()
	return harness.ConnectTo(t, l.device, l.edge1(), bases...)
}

// mustServe fails the test unless a new manager gets an answer from the device.
func (l *lab) mustServe(t *testing.T) {
	t.Helper()
	s := l.connect(t, harness.Base11)
	if _, err := s.GetConfig("running"); err != nil {
		t.Fatalf("a new manager: %v", err)
	}
	s.Close()
}

// mustBeTheSameLink fails the test if the device has called again meanwhile.
func (l *lab) mustBeTheSameLink(t *testing.T) {
	t.Helper()
	now := l.Device(t, "edge-1")
	if now.State != control.StateConnected || !now.Since.Equal(l.link.Since) || now.SessionID != l.link.SessionID {
		t.Fatalf("the link did not stay: it was %s, is %s", describe(l.link), describe(now))
	}
}

func describe(d control.Device) string {
	return fmt.Sprintf("%s since %s with control session %d", d.State, d.Since.Format("15:04:05.000"), d.SessionID)
}
