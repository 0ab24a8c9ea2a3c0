package tests

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// keyExchangeTimeout is how long a call may be silent.
const keyExchangeTimeout = 20 * time.Second

func TestBadInputOnTheCallHomePortLosesNothing(t *testing.T) {
	t.Parallel()
	g, _ := simulatorLab(t, harness.Config{Callhome: []string{`reject_delay = "0s"`}}, devicesim.Options{})
	manager := harness.Connect(t, g.Target(devicePort), harness.Base11)
	for name, input := range map[string]string{
		"silence":                   "",
		"garbage":                   strings.Repeat("\x00\xff\x17garbage", 1000),
		"HTTP":                      "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
		"TLS":                       "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("x", 200),
		"a line of 1 MiB":           strings.Repeat("a", 1<<20),
		"a MiB of lines":            strings.Repeat("MSG-ID: DEVICE-CONN-INFO\r\n", 1<<20/26),
		"a version and garbage":     "SSH-2.0-device\r\n" + strings.Repeat("\xff", 1<<16),
		"a version and then no end": "SSH-2.0-device\r\n",
		"SSH 1":                     "SSH-1.5-device\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", g.CallHome())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() { _, _ = io.WriteString(conn, input) }() // the gateway may well not read it all
			closes(t, conn, keyExchangeTimeout+10*time.Second)
			answersWithin(t, manager.Session, harness.ReplyTimeout)
		})
	}
	harness.Connect(t, g.Target(devicePort), harness.Base11)
	for _, reason := range []callhome.Reason{callhome.FailedPreamble, callhome.FailedHandshake} {
		if !g.Output.Contains(string(reason)) {
			t.Errorf("the log tells no %s", reason)
		}
	}
}

// closes waits until the other side has closed the connection.
func closes(t *testing.T, conn net.Conn, within time.Duration) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(within))
	if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
		t.Errorf("still open after %v", within)
	}
}

func TestADeviceThatNeverAnswersHelloGetsAReason(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{Blocks: []string{
		harness.SimulatorUser("fleet"), harness.SessionEntry("edge-1", key, "fleet", devicePort),
	}})
	harness.NewSimulator(t, key, devicesim.Options{Connect: g.CallHome(), SilentHello: true})
	d := g.AwaitDevice(t, 90*time.Second, "the call to end", func(d control.Device) bool { return d.Name == "edge-1" && d.LastOutcome != nil })
	if reason := d.LastOutcome.Reason; reason != string(callhome.FailedHello) && reason != string(callhome.TimedOut) {
		t.Errorf("it ended as %s: %s", reason, d.LastOutcome.Detail)
	}
	if !strings.Contains(d.LastOutcome.Detail, "hello") {
		t.Errorf("the detail does not name the hello: %s", d.LastOutcome.Detail)
	}
}

func TestAManagerThatAsksForAShellIsToldWhatThisPortIs(t *testing.T) {
	t.Parallel()
	g, _ := simulatorLab(t, harness.Config{}, devicesim.Options{})
	for name, arguments := range map[string][]string{
		"shell": nil, "terminal": {"-tt"}, "command": {"uname", "-a"}, "sftp": {"-s", "sftp"},
	} {
		t.Run(name, func(t *testing.T) {
			p := harness.Start(t, "ssh", harness.OpenSSH(t, g.KeyTarget(devicePort), arguments...))
			waitFor(t, p)
			if p.ExitCode() == 0 || name != "sftp" && !p.Output.Contains("NETCONF") {
				t.Errorf("status %d: %s", p.ExitCode(), p.Output)
			}
		})
	}
}

func waitFor(t *testing.T, p *harness.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(harness.ReplyTimeout):
		t.Fatalf("%s did not end: %s", p.Name, p.Output)
	}
}

func TestAManagerIsToldWhyItsDeviceIsAway(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{Blocks: []string{
		harness.SimulatorUser("fleet"), harness.SessionEntry("edge-1", key, "fleet", devicePort),
	}})
	p := harness.Start(t, "ssh", harness.OpenSSH(t, g.KeyTarget(devicePort), "-s", "netconf"))
	waitFor(t, p)
	if p.ExitCode() != 1 || !p.Output.Contains("edge-1") || !p.Output.Contains("not connected") {
		t.Errorf("status %d: %s", p.ExitCode(), p.Output)
	}
}

func TestAManagerCanWaitForItsDevice(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{
		Gateway: []string{`wait = "20s"`},
		Blocks:  []string{harness.SimulatorUser("fleet"), harness.SessionEntry("edge-1", key, "fleet", devicePort)},
	})
	client := harness.Dial(t, g.Target(devicePort))
	opened := make(chan error, 1)
	go func() {
		s, err := harness.OpenSubsystem(client)
		if err == nil {
			err = s.Open(harness.ReplyTimeout, harness.Base11)
		}
		opened <- err
	}()
	harness.NewSimulator(t, key, devicesim.Options{Connect: g.CallHome()})
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestAnUnknownDeviceOnTheSharedPortIsRefused(t *testing.T) {
	t.Parallel()
	g, _ := simulatorLab(t, harness.Config{}, devicesim.Options{})
	for _, user := range []string{"noc@edge-9", "noc", "noc@", "@edge-1", "noc@edge-1@edge-9"} {
		target := g.SharedTarget("edge-9")
		target.Username, target.KeyPath = user, g.Key.Path
		p := harness.Start(t, "ssh", harness.OpenSSH(t, target, "-s", "netconf"))
		waitFor(t, p)
		if p.ExitCode() == 0 {
			t.Errorf("%s got in", user)
		}
		t.Logf("%s is told: %s", user, p.Output)
		if user == "noc@edge-9" && !p.Output.Contains("edge-9") {
			t.Errorf("it is not told which device: %s", p.Output)
		}
	}
	harness.Connect(t, g.SharedTarget("edge-1"), harness.Base11)
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	for name, port := range map[string]string{"call home": harness.CallHomePort, "shared": harness.SharedPort, "device": fmt.Sprint(devicePort)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := harness.NewKey(t)
			g := harness.PrepareGateway(t, harness.Config{Blocks: []string{
				harness.SimulatorUser("fleet"), harness.SessionEntry("edge-1", key, "fleet", devicePort),
			}})
			taken, err := net.Listen("tcp", net.JoinHostPort(g.Address, port))
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			endsAtStart(t, g, net.JoinHostPort(g.Address, port))
		})
	}
}

// endsAtStart starts a gateway that cannot start, and wants its message to
// hold each of these.
func endsAtStart(t *testing.T, g *harness.Gateway, wanted ...string) {
	t.Helper()
	p := harness.Start(t, "callhome-gateway", exec.Command(harness.GatewayBinary(t), "serve", "--config", g.ConfigPath))
	select {
	case <-p.Done():
	case <-time.After(harness.StartTimeout):
		t.Fatalf("it did not end: %s", p.Output)
	}
	if p.ExitCode() != 1 {
		t.Errorf("it ended with status %d", p.ExitCode())
	}
	for _, text := range wanted {
		if !p.Output.Contains(text) {
			t.Errorf("its message lacks %q: %s", text, p.Output)
		}
	}
}

func TestASecondGatewayOnTheSameStateIsRefused(t *testing.T) {
	t.Parallel()
	g := harness.StartGateway(t, harness.Config{})
	second := harness.PrepareGateway(t, harness.Config{})
	config, err := os.ReadFile(second.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	shared := strings.Replace(string(config), second.StateDir, g.StateDir, 1)
	if err := os.WriteFile(second.ConfigPath, []byte(shared), 0o600); err != nil {
		t.Fatal(err)
	}
	endsAtStart(t, second, g.StateDir)
	g.Status(t) // the first one goes on
}

// Every kind of mistake has a test in internal/config; these show that the
// program itself stops, and says where.
func TestABadConfigurationNeverStarts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ config, wanted string }{
		"no file":           {"", "config.hcl"},
		"syntax":            {"callhome {\n  enabled = \n}\n", "config.hcl:2"},
		"unknown attribute": {"callhome {\n  enabled = true\n  prot = 4334\n}\n", "config.hcl:3"},
		"unknown user":      {"session \"edge-1\" {\n  address = \"192.0.2.1\"\n  user = \"nobody\"\n}\n", "config.hcl:3"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.hcl")
			if test.config != "" {
				if err := os.WriteFile(path, []byte(test.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, command := range []string{"serve", "validate"} {
				_, stderr, code := harness.RunProgram(t, command, "--config", path)
				if code != 1 || !strings.Contains(stderr, test.wanted) {
					t.Errorf("%s: status %d, no %q in: %s", command, code, test.wanted, stderr)
				}
			}
		})
	}
}
