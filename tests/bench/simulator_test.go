package bench

import (
	"os/exec"
	"path/filepath"
	"testing"

	"callhome-gateway/tests/harness"
)

// buildSimulator compiles callhome-device; the caller may start it many times.
func buildSimulator(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "callhome-device")
	if out, err := exec.Command("go", "build", "-o", binary, "callhome-gateway/cmd/callhome-device").CombinedOutput(); err != nil {
		b.Fatalf("compiling the simulator: %v\n%s", err, out)
	}
	return binary
}

// startSimulator starts devices that call the address, in a process of their own.
func startSimulator(b *testing.B, binary, address string, flags ...string) {
	b.Helper()
	startDevices(b, binary, address, append(flags, "--username", deviceUser, "--password", password)...)
}

// startTLSSimulator is the same over TLS: those log in whom the CA certifies.
func startTLSSimulator(b *testing.B, binary, address string, logins *harness.CA, flags ...string) {
	b.Helper()
	startDevices(b, binary, address, append(flags, "--tls", "--client-ca", logins.Path)...)
}

func startDevices(b *testing.B, binary, address string, flags ...string) {
	b.Helper()
	flags = append(flags, "--connect", address, "--reconnect", "1s", "--log-level", "error")
	harness.Start(b, "callhome-device", exec.Command(binary, flags...))
}
