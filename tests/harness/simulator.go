package harness

import (
	"context"
	"testing"
	"time"

	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// Simulator is a device of our own, for what real ones cannot be made to do,
// or cannot be asked.
type Simulator struct {
	*devicesim.Device
	// Auth is a line for each authentication request, and each client
	// certificate, that it saw.
	Auth *Output

	stop func()
}

// SimulatorName is the username that simulators let in.
const SimulatorName = "sim"

// NewSimulator starts a device with this host key, before those of the options,
// that calls the gateway, until the test ends. Credentials are set where the
// options leave them out.
func NewSimulator(t testing.TB, key Key, o devicesim.Options) *Simulator {
	t.Helper()
	o.HostKeys = append([]ssh.Signer{key.Signer}, o.HostKeys...)
	if o.Username == "" {
		o.Username, o.Password = SimulatorName, Password
	}
	return startSimulator(t, o)
}

// NewTLSSimulator starts a device with this certificate that calls the gateway
// over TLS, until the test ends. It lets everybody in who has a certificate,
// where the options say nothing else.
func NewTLSSimulator(t testing.TB, c Certificate, o devicesim.Options) *Simulator {
	t.Helper()
	var own devicesim.TLS
	if o.TLS != nil {
		own = *o.TLS
	} else {
		own.AnyClient = true
	}
	own.Certificate = c.TLS
	o.TLS = &own
	return startSimulator(t, o)
}

func startSimulator(t testing.TB, o devicesim.Options) *Simulator {
	t.Helper()
	s := &Simulator{Auth: &Output{}}
	watch := o.OnAuth
	o.OnAuth = func(user, method string) {
		_, _ = s.Auth.Write([]byte(user + " " + method + "\n"))
		if watch != nil {
			watch(user, method)
		}
	}
	device, err := devicesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Device = device
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = device.Run(ctx) // the gateway's log tells why a call failed
	}()
	s.stop = func() { cancel(); <-done }
	t.Cleanup(s.stop)
	return s
}

// Stop ends the device for good.
func (s *Simulator) Stop() { s.stop() }

// SimulatorUser is the user entry of this name that logs in to simulators.
func SimulatorUser(name string) string { return UserEntry(name, SimulatorName, Password) }

// NewSimulatedDevice makes a device over TLS of a simulator, for the tests that
// run on all kinds. It starts when it is to call home.
func NewSimulatedDevice(t testing.TB, o devicesim.Options) *Device {
	t.Helper()
	d := &Device{
		Kind: "simulator over TLS", Target: "running", Output: &Output{}, BlobNamespace: devicesim.NamespaceSim, TLS: NewDeviceTLS(t, SimulatorName),
		edit: editSystem,
	}
	if o.Candidate {
		d.Target = "candidate"
	}
	// libnetconf2 and yangcli speak of nothing that they have no schema of
	o.Advertise = append(o.Advertise, "urn:ietf:params:xml:ns:netconf:notification:1.0?module=notifications&revision=2008-07-14",
		systemNamespace+"?module=ietf-system&revision=2014-08-06",
		BaseNamespace+"?module=ietf-netconf&revision=2011-06-01&features=writable-running,candidate",
		devicesim.NamespaceSim+"?module=callhome-sim&revision=2026-11-22")
	var s *Simulator
	d.Alive = func() bool { return s != nil }
	d.call = func(t testing.TB, gateway string) Call {
		o.Connect, o.Reconnect = gateway, time.Second
		o.TLS = &devicesim.TLS{Clients: []string{d.TLS.Login.Fingerprint()}}
		s = NewTLSSimulator(t, d.TLS.Certificate, o)
		return simulatorCall{s}
	}
	return d
}

// NewSimulatedSSHDevice makes a device over SSH of a simulator. It starts when it
// is to call home.
func NewSimulatedSSHDevice(t testing.TB, o devicesim.Options) *Device {
	t.Helper()
	if o.Username == "" {
		o.Username, o.Password = SimulatorName, Password
	}
	d := &Device{
		Kind: "simulator", Username: o.Username, Password: o.Password, Target: "running", Output: &Output{},
		HostKey: NewKey(t), BlobNamespace: devicesim.NamespaceSim, edit: editSystem,
	}
	var s *Simulator
	d.Alive = func() bool { return s != nil }
	d.call = func(t testing.TB, gateway string) Call {
		o.Connect, o.Reconnect = gateway, time.Second
		s = NewSimulator(t, d.HostKey, o)
		return simulatorCall{s}
	}
	return d
}

type simulatorCall struct{ *Simulator }

// Kill resets the connection, and the device is gone.
func (c simulatorCall) Kill() { c.Drop(); c.Stop() }
