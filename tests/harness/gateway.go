package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"callhome-gateway/internal/control"
)

// Gateway is a running callhome-gateway with a configuration, a state
// directory and a loopback address of its own.
type Gateway struct {
	// Address is where it listens.
	Address string
	// StateDir and ConfigPath are its files.
	StateDir, ConfigPath string
	// Key is a key of the manager that may reach every device.
	Key Key
	// PKI is that of its TLS endpoints.
	PKI *PKI
	*Process

	control *control.Client
	plain   bool
	files   int
}

// StartTimeout is for a gateway to come up or to go down: with the race
// detector, on a machine that does ten other things.
const StartTimeout = 30 * time.Second

// StartGateway writes the configuration, starts the gateway, and returns when
// it listens.
func StartGateway(t testing.TB, c Config) *Gateway {
	t.Helper()
	g := PrepareGateway(t, c)
	g.Start(t)
	return g
}

// PrepareGateway writes the configuration and starts nothing.
func PrepareGateway(t testing.TB, c Config) *Gateway {
	t.Helper()
	dir := shortTempDir(t) // for the control socket's name
	g := &Gateway{
		Address: c.Address, StateDir: filepath.Join(dir, "state"), ConfigPath: filepath.Join(dir, "config.hcl"),
		Key: NewKey(t), plain: c.Plain, files: c.Files,
	}
	if g.Address == "" {
		g.Address = Address(t)
	}
	if c.PKI == nil {
		c.PKI = NewPKI(t)
	}
	g.PKI = c.PKI
	write(t, g.ConfigPath, []byte(c.render(t, g.Address, g.StateDir, g.Key)), 0o600)
	g.control = control.NewClient(filepath.Join(g.StateDir, control.SocketName))
	return g
}

// Start runs the gateway (again) and returns when it listens.
func (g *Gateway) Start(t testing.TB) {
	t.Helper()
	binary := gatewayCommand
	if g.plain {
		binary = plainCommand
	}
	cmd := exec.Command(binary.path(t), "serve", "--config", g.ConfigPath)
	if g.files > 0 {
		cmd = exec.Command("prlimit", append([]string{fmt.Sprintf("--nofile=%d", g.files)}, cmd.Args...)...)
	}
	g.Process = Start(t, "callhome-gateway", cmd)
	output := g.Output
	t.Cleanup(func() { checkOutput(t, output) })
	Eventually(t, StartTimeout, "the gateway to listen", func() bool {
		if !g.Running() {
			t.Fatalf("the gateway ended with status %d:\n%s", g.ExitCode(), g.Output)
		}
		status, err := g.control.Status(t.Context())
		return err == nil && status.Callhome.Listening && status.Gateway.Listening
	})
}

// checkOutput looks for what no gateway may ever write.
func checkOutput(t testing.TB, o *Output) {
	t.Helper()
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", Password} {
		for _, line := range o.Lines(bad) {
			t.Errorf("the gateway wrote %q", line)
		}
	}
}

// Stop ends the gateway as an operator does, and fails the test when it does
// not end well.
func (g *Gateway) Stop(t testing.TB) {
	t.Helper()
	g.Signal(syscall.SIGTERM)
	select {
	case <-g.Done():
	case <-time.After(StartTimeout):
		t.Fatal("the gateway does not end on SIGTERM")
	}
	if code := g.ExitCode(); code != 0 {
		t.Errorf("the gateway ended with status %d", code)
	}
}

// CallHome is where devices call, as HOST:PORT.
func (g *Gateway) CallHome() string { return net.JoinHostPort(g.Address, CallHomePort) }

// CallHomeTLS is the same for devices that speak TLS.
func (g *Gateway) CallHomeTLS() string { return net.JoinHostPort(g.Address, CallHomeTLSPort) }

// TLSTarget is a TLS endpoint of one device.
func (g *Gateway) TLSTarget(port int) TLSTarget {
	return TLSTarget{Address: net.JoinHostPort(g.Address, strconv.Itoa(port)), Certificate: g.PKI.Manager, Servers: g.PKI.Servers}
}

// SharedTLSTarget is the shared TLS endpoint, for one device.
func (g *Gateway) SharedTLSTarget(device string) TLSTarget {
	target := g.TLSTarget(0)
	target.Address = net.JoinHostPort(g.Address, SharedTLSPort)
	target.ServerName = device + "." + Domain
	return target
}

// Target is an endpoint of one device, for a password login.
func (g *Gateway) Target(port int) Target {
	return Target{Address: net.JoinHostPort(g.Address, strconv.Itoa(port)), Username: managerName, Password: Password}
}

// TargetAs is Target for another manager.
func (g *Gateway) TargetAs(manager string, port int) Target {
	target := g.Target(port)
	target.Username = manager
	return target
}

// KeyTarget is an endpoint of one device, for a login with a key.
func (g *Gateway) KeyTarget(port int) Target {
	target := g.Target(port)
	target.KeyPath = g.Key.Path
	return target
}

// SharedTarget is the shared endpoint, for one device.
func (g *Gateway) SharedTarget(device string) Target {
	return Target{Address: net.JoinHostPort(g.Address, SharedPort), Username: managerName + "@" + device, Password: Password}
}

// Status asks the gateway for its status.
func (g *Gateway) Status(t testing.TB) control.Status {
	t.Helper()
	status, err := g.control.Status(context.Background())
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	return status
}

// Devices asks the gateway for its devices.
func (g *Gateway) Devices(t testing.TB) []control.Device {
	t.Helper()
	devices, err := g.control.Devices(context.Background())
	if err != nil {
		t.Fatalf("devices: %v", err)
	}
	return devices
}

// Device returns the device of this name, or the zero Device.
func (g *Gateway) Device(t testing.TB, name string) control.Device {
	t.Helper()
	for _, d := range g.Devices(t) {
		if d.Name == name {
			return d
		}
	}
	return control.Device{}
}

// Approve approves a pending device as `device approve` does.
func (g *Gateway) Approve(r control.ApproveRequest) error {
	_, err := g.control.Approve(context.Background(), r)
	return err
}

// AwaitConnected waits until the device has a link, and returns it.
func (g *Gateway) AwaitConnected(t testing.TB, name string) control.Device {
	t.Helper()
	return g.AwaitDevice(t, ReplyTimeout, name+" to be connected", func(d control.Device) bool {
		return d.Name == name && d.State == control.StateConnected
	})
}

// AwaitConnectedCount waits until so many devices have a link.
func (g *Gateway) AwaitConnectedCount(t testing.TB, count int) {
	t.Helper()
	Eventually(t, StartTimeout, fmt.Sprintf("%d devices to be connected", count), func() bool {
		return g.Status(t).Devices.Connected == count
	})
}

// AwaitDevice waits for a device for which cond holds, and returns it.
func (g *Gateway) AwaitDevice(t testing.TB, within time.Duration, what string, cond func(control.Device) bool) control.Device {
	t.Helper()
	var found control.Device
	if !Within(within, func() bool {
		for _, d := range g.Devices(t) {
			if cond(d) {
				found = d
				return true
			}
		}
		return false
	}) {
		state, _ := json.Marshal(g.Devices(t))
		t.Fatalf("after %v still waiting for %s; devices: %s", within, what, state)
	}
	return found
}

// Run runs a command of the gateway's program on this gateway, as an operator
// does, and returns its output and exit status.
func (g *Gateway) Run(t testing.TB, command ...string) (stdout, stderr string, code int) {
	t.Helper()
	return RunProgram(t, append(command, "--config", g.ConfigPath)...)
}

// RunProgram runs the gateway's program until it ends.
func RunProgram(t testing.TB, arguments ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), StartTimeout)
	defer cancel()
	var out, errs strings.Builder
	cmd := exec.CommandContext(ctx, GatewayBinary(t), arguments...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("running %v: %v", arguments, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Files returns how many file descriptors the gateway has open.
func (g *Gateway) Files(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
