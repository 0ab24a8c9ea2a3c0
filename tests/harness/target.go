package harness

import (
	"net"
	"time"
)

// Target is what a manager connects to: an endpoint of the gateway, or a
// device itself.
type Target struct {
	// Address is HOST:PORT.
	Address            string
	Username, Password string
	// KeyPath is a private key file to use instead of the password.
	KeyPath string
	// Source is the address to come from, where Dial is used; empty for any.
	Source string
}

// Host is the address without its port.
func (t Target) Host() string {
	host, _, _ := net.SplitHostPort(t.Address)
	return host
}

// Port is the port alone.
func (t Target) Port() string {
	_, port, _ := net.SplitHostPort(t.Address)
	return port
}

// ReplyTimeout is how long a manager waits for anything, on a loaded machine
// with the race detector.
const ReplyTimeout = 30 * time.Second
