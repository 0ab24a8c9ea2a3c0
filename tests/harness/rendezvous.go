package harness

import (
	"net"
	"testing"
)

// Rendezvous is a place where a manager meets a device that calls home, byte
// for byte: the device called it, so there is nothing to dial.
type Rendezvous struct {
	// Address is where the device calls, on the port for its transport.
	Address string
	// Manager is where the manager connects, as HOST:PORT.
	Manager string
}

// NewRendezvous joins each call on this port to one manager's connection, in
// the order in which both come, until the test ends.
func NewRendezvous(t testing.TB, callPort string) *Rendezvous {
	t.Helper()
	r := &Rendezvous{Address: Address(t)}
	r.Manager = net.JoinHostPort(r.Address, SharedPort)
	devices, managers := listenOn(t, net.JoinHostPort(r.Address, callPort)), listenOn(t, r.Manager)
	done := make(chan struct{})
	go func() { defer close(done); meet(devices, managers) }()
	t.Cleanup(func() { devices.Close(); managers.Close(); <-done })
	return r
}

func listenOn(t testing.TB, address string) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l.(*net.TCPListener)
}

// meet ends when a listener is closed, and its splices with it.
func meet(devices, managers *net.TCPListener) {
	for {
		device, err := devices.AcceptTCP()
		if err != nil {
			return
		}
		manager, err := managers.AcceptTCP()
		if err != nil {
			device.Close()
			return
		}
		defer join(manager, device).Close()
	}
}
