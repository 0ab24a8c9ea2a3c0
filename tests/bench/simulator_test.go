package bench

import (
	"os/exec"
	"testing"

	"callhome-gateway/tests/harness"
)

// startSimulator starts devices that call the address, in a process of their own.
func startSimulator(b *testing.B, address string, flags ...string) {
	b.Helper()
	startDevices(b, address, append(flags, "--username", deviceUser, "--password", password)...)
}

// startTLSSimulator is the same over TLS: those log in whom the CA certifies.
func startTLSSimulator(b *testing.B, address string, logins *harness.CA, flags ...string) {
	b.Helper()
	startDevices(b, address, append(flags, "--tls", "--client-ca", logins.Path)...)
}

func startDevices(b *testing.B, address string, flags ...string) {
	b.Helper()
	flags = append(flags, "--connect", address, "--reconnect", "1s", "--log-level", "error")
	harness.Start(b, "callhome-device", exec.Command(harness.SimulatorBinary(b), flags...))
}
