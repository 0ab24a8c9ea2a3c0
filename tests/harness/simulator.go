package harness

import (
	"context"
	"testing"

	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// Simulator is a device of our own, for what real ones cannot be made to do,
// or cannot be asked.
type Simulator struct {
	*devicesim.Device
	// Auth is a line for each authentication request that it saw.
	Auth *Output

	stop func()
}

const (
	simulatorUser = "sim"
)

// NewSimulator starts a device with this host key that calls the gateway,
// until the test ends. Credentials are set where the options leave them out.
func NewSimulator(t testing.TB, key Key, o devicesim.Options) *Simulator {
	t.Helper()
	s := &Simulator{Auth: &Output{}}
	o.HostKeys = []ssh.Signer{key.Signer}
	if o.Username == "" {
		o.Username, o.Password = simulatorUser, Password
	}
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
func SimulatorUser(name string) string { return UserEntry(name, simulatorUser, Password) }
