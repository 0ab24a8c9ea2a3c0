package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callhome-gateway/internal/control"
	"callhome-gateway/tests/harness"
)

const (
	managerName = "noc"
	password    = "only-for-benchmarks"
	deviceUser  = "netconf"
)

// gateway is a running callhome-gateway that logs as in the field.
type gateway struct {
	*harness.Process
	address string
	control *control.Client
}

// startGateway starts one with these lines in its callhome and gateway blocks,
// and these blocks besides. A manager that may reach every device is there.
func startGateway(b *testing.B, callhome, north []string, blocks ...string) *gateway {
	b.Helper()
	dir, err := os.MkdirTemp("", "chgw") // short, for the control socket's name
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	g := &gateway{address: harness.Address(b)}
	own := fmt.Sprintf("address = %q", g.address)
	config := fmt.Sprintf("state_dir = %q\n", filepath.Join(dir, "state")) +
		block("callhome", append(callhome, "enabled = true", own, "port = "+harness.CallHomePort, "tls_port = "+harness.CallHomeTLSPort)) +
		block("gateway", append(north, own, "port = "+harness.SharedPort)) +
		block(fmt.Sprintf("manager %q", managerName), []string{
			fmt.Sprintf("password_hash = %q", harness.PasswordHash(b, password)), `devices = ["*"]`,
		}) + strings.Join(blocks, "")
	path := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	g.Process = harness.Start(b, "callhome-gateway", exec.Command(harness.GatewayBinary(b), "serve", "--config", path))
	g.control = control.NewClient(filepath.Join(dir, "state", control.SocketName))
	g.await(b, "the gateway to listen", func(s control.Status) bool { return s.Callhome.Listening && s.Gateway.Listening })
	return g
}

func block(head string, lines []string) string {
	return head + " {\n  " + strings.Join(lines, "\n  ") + "\n}\n"
}

// await waits until the gateway's status is as wanted.
func (g *gateway) await(b *testing.B, what string, wanted func(control.Status) bool) {
	b.Helper()
	harness.Eventually(b, patience, what, func() bool {
		if !g.Running() {
			b.Fatal("the gateway has ended")
		}
		status, err := g.control.Status(context.Background())
		return err == nil && wanted(status)
	})
}

// awaitDevices waits until as many devices are connected.
func (g *gateway) awaitDevices(b *testing.B, count int) {
	b.Helper()
	g.await(b, fmt.Sprintf("%d devices to be connected", count), func(s control.Status) bool {
		return s.Devices.Connected == count
	})
}

func (g *gateway) callHome() string { return net.JoinHostPort(g.address, harness.CallHomePort) }

func (g *gateway) callHomeTLS() string { return net.JoinHostPort(g.address, harness.CallHomeTLSPort) }

// northTLS are lines of a gateway block for the shared TLS endpoint.
func northTLS(pki *harness.PKI) []string {
	return []string{
		"tls_port = " + harness.SharedTLSPort, fmt.Sprintf("domain = %q", harness.Domain),
		block("tls", append(pki.ServerLines(), pki.MapLines()...)),
	}
}

// tlsTarget is that endpoint, for one device.
func (g *gateway) tlsTarget(pki *harness.PKI, device string) harness.TLSTarget {
	return harness.TLSTarget{
		Address:     net.JoinHostPort(g.address, harness.SharedTLSPort),
		Certificate: pki.Manager, Servers: pki.Servers, ServerName: device + "." + harness.Domain,
	}
}

// target is the shared endpoint, for one device.
func (g *gateway) target(device string) harness.Target {
	return harness.Target{
		Address:  net.JoinHostPort(g.address, harness.SharedPort),
		Username: managerName + "@" + device, Password: password,
	}
}
