package harness

import (
	"os/exec"
	"testing"

	"callhome-gateway/internal/devicesim"
)

// NewSimulatorProcess makes a device over TLS that is a simulator in a process
// and a network namespace of its own: one that can be cut off and frozen. It
// starts when it is to call home, and calls once.
func NewSimulatorProcess(t testing.TB, namespace string) *Device {
	t.Helper()
	binary := SimulatorBinary(t)
	d := &Device{
		Kind: "simulator over TLS", Target: "running", Output: &Output{}, BlobNamespace: devicesim.NamespaceSim,
		TLS: NewDeviceTLS(t, SimulatorName), edit: editSystem,
	}
	var p *Process
	d.Alive = func() bool { return p != nil && p.Running() }
	d.call = func(t testing.TB, gateway string) Call {
		cmd := exec.Command("ip", "netns", "exec", namespace, binary, "--connect", gateway, "--reconnect", "1h",
			"--tls", "--client-ca", d.TLS.Logins.Path, "--certificate", d.TLS.Certificate.Path, "--key", d.TLS.Certificate.KeyPath)
		p = Start(t, "callhome-device", cmd)
		return p
	}
	return d
}
