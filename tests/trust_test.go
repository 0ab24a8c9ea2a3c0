package tests

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"

	"golang.org/x/crypto/ssh"
)

// authAttempts are what the servers log when somebody asks to be let in: of
// sshd, and of libnetconf2 with its own verbosity.
var authAttempts = []string{"userauth-request", "password login", "attempt"}

func TestAnUnknownDeviceIsAskedNothingAndAttachesOnceApproved(t *testing.T) {
	t.Parallel()
	for _, device := range append(deviceKinds(), tlsKinds()...) {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			d := device.make(t)
			g := harness.StartGateway(t, harness.Config{
				Callhome: []string{`trust = "approve"`, `users = ["fleet"]`, `reject_delay = "1s"`},
				Blocks:   []string{d.UserEntry("fleet")},
			})
			call := d.CallHome(t, g.Address)
			pending := g.AwaitDevice(t, harness.ReplyTimeout, "the pending device", isPending)
			if pending.Identity != d.Identity() || !strings.HasPrefix(pending.Address, "127.") {
				t.Errorf("pending with identity %s from %s, want %s", pending.Identity, pending.Address, d.Identity())
			}
			for _, attempt := range authAttempts {
				if lines := d.Output.Lines(attempt); len(lines) > 0 {
					t.Errorf("the device was asked: %q", lines)
				}
			}
			stdout, stderr, code := g.Run(t, "device", "approve", d.Identity(), "--name", "edge-1")
			if code != 0 {
				t.Fatalf("approve: status %d: %s%s", code, stdout, stderr)
			}
			if d.Kind == "netconfd" { // which calls once
				call.Kill()
				d.CallHome(t, g.Address)
			}
			port := awaitPort(t, g)
			answersWithin(t, harness.ConnectTo(t, d, g.Target(int(port)), harness.Base11).Session, harness.ReplyTimeout)
			if d.TLS == nil && !slices.ContainsFunc(authAttempts, d.Output.Contains) {
				t.Error("the device does not log what this test looks for")
			}
		})
	}
}

func isPending(d control.Device) bool { return d.State == control.StatePending }

// OnAuth of the simulator sees every request, "none" included.
func TestAnUnknownDeviceSeesNoAuthenticationRequestUntilApproved(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`users = ["fleet"]`, `reject_delay = "0s"`}, // approve is the default
		Blocks:   []string{harness.SimulatorUser("fleet")},
	})
	s := harness.NewSimulator(t, key, devicesim.Options{Connect: g.CallHome(), Reconnect: 100 * time.Millisecond})
	g.AwaitDevice(t, harness.ReplyTimeout, "five calls", func(d control.Device) bool { return isPending(d) && d.Calls >= 5 })
	if asked := s.Auth.String(); asked != "" {
		t.Fatalf("it was asked to log in: %s", asked)
	}
	if _, stderr, code := g.Run(t, "device", "approve", key.Fingerprint()[:len("SHA256:")+12], "--name", "edge-1"); code != 0 {
		t.Fatalf("approve: %s", stderr)
	}
	g.AwaitConnected(t, "edge-1")
	if !s.Auth.Contains("password") {
		t.Error("it was logged in to without authentication")
	}
}

func TestAnApprovalSurvivesARestart(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`users = ["fleet"]`, `reject_delay = "0s"`},
		Blocks:   []string{harness.SimulatorUser("fleet")},
	})
	harness.NewSimulator(t, key, devicesim.Options{Connect: g.CallHome(), Reconnect: 100 * time.Millisecond})
	g.AwaitDevice(t, harness.ReplyTimeout, "the pending device", isPending)
	g.Run(t, "device", "approve", key.Fingerprint(), "--name", "edge-1")
	port := awaitPort(t, g)
	g.Process.Kill() // the worst way to end
	g.Start(t)
	if again := awaitPort(t, g); again != port {
		t.Errorf("the port was %d and is %d", port, again)
	}
}

func TestAChangedHostKeyIsRejectedUnderEveryTrustSetting(t *testing.T) {
	t.Parallel()
	for _, trust := range []string{"pinned", "approve", "first-use"} {
		t.Run(trust, func(t *testing.T) {
			t.Parallel()
			source := harness.Address(t)
			known, changed := harness.NewKey(t), harness.NewKey(t)
			g := harness.StartGateway(t, harness.Config{
				Callhome: []string{fmt.Sprintf("trust = %q", trust), `reject_delay = "0s"`},
				Blocks:   []string{simulatorUserFirstUse(), entryByAddress("edge-1", source, trust, known)},
			})
			options := devicesim.Options{Connect: g.CallHome(), Source: netip.MustParseAddr(source), Reconnect: 100 * time.Millisecond}
			first := harness.NewSimulator(t, known, options)
			if trust == "approve" {
				g.AwaitDevice(t, harness.ReplyTimeout, "the pending device", isPending)
				if _, stderr, code := g.Run(t, "device", "approve", known.Fingerprint()); code != 0 {
					t.Fatalf("approve: %s", stderr)
				}
			}
			g.AwaitConnected(t, "edge-1")
			first.Stop()
			g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away)
			impostor := harness.NewSimulator(t, changed, options)
			awaitOutcome(t, g, callhome.RejectedKeyChanged, func(d control.Device) bool { return d.Name == "edge-1" })
			if asked := impostor.Auth.String(); asked != "" {
				t.Errorf("the changed key was asked to log in: %s", asked)
			}
			g.Output.Await(t, harness.ReplyTimeout, changed.Fingerprint())
		})
	}
}

func simulatorUserFirstUse() string {
	return strings.Replace(harness.SimulatorUser("fleet"), "}\n", "  first_use_password = true\n}\n", 1)
}

// entryByAddress knows a device by its address, and by its key only where
// nothing else can vouch for it.
func entryByAddress(name, address, trust string, key harness.Key) string {
	pins := ""
	if trust == "pinned" {
		pins = fmt.Sprintf("  host_keys = [%q]\n", key.AuthorizedKey())
	}
	return fmt.Sprintf("session %q {\n  address = %q\n  user = \"fleet\"\n%s}\n", name, address, pins)
}

func TestTheSecondCallhomeUserIsUsedAfterTheDeviceRefusedTheFirst(t *testing.T) {
	t.Parallel()
	for _, device := range append(deviceKinds(), tlsKinds()...) {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			d := device.make(t)
			g := harness.StartGateway(t, harness.Config{
				Callhome: []string{`users = ["outdated", "fleet"]`, `reject_delay = "0s"`},
				Blocks:   []string{outdatedUser(t, d), d.UserEntry("fleet"), d.SessionEntry("edge-1", "", devicePort)},
			})
			call := d.CallHome(t, g.Address)
			harness.Eventually(t, harness.ReplyTimeout, "the failure to be seen in status", func() bool {
				failures := g.Status(t).Failures
				return len(failures) == 1 && failures[0].User == "outdated" && failures[0].Identity == d.Identity()
			})
			if stdout, _, code := g.Run(t, "status"); code != 0 || !strings.Contains(stdout, "outdated") {
				t.Errorf("status %d, and it does not show the failure: %s", code, stdout)
			}
			for range 2 { // libnetconf2 calls again by itself, but not at once after a kill
				call.Kill()
				call = d.CallHome(t, g.Address)
				if user := g.AwaitConnected(t, "edge-1").User; user != "fleet" {
					t.Fatalf("logged in as %s", user)
				}
			}
			if tried := len(g.Output.Lines("user=outdated")); tried != 1 {
				t.Errorf("the first user was tried %d times", tried)
			}
		})
	}
}

// outdatedUser is a user entry that the device refuses.
func outdatedUser(t *testing.T, d *harness.Device) string {
	t.Helper()
	if d.TLS == nil {
		return harness.UserEntry("outdated", "former-admin", "forgotten")
	}
	return harness.TLSUserEntry("outdated", harness.NewCA(t, "former CA").Issue(t, harness.Subject{CommonName: d.Username}))
}

// A device whose AAA server is dead neither accepts nor refuses.
func TestATimeoutIsNoFailureOfTheUser(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`users = ["first", "second"]`, `reject_delay = "0s"`},
		Blocks: []string{
			harness.SimulatorUser("first"), harness.UserEntry("second", "somebody", "else"),
			harness.SessionEntry("edge-1", key, "", devicePort),
		},
	})
	stuck := harness.NewSimulator(t, key, devicesim.Options{
		Connect: g.CallHome(), LoginTimeout: time.Second, Reconnect: 100 * time.Millisecond,
		OnAuth: func(_, method string) {
			if method == "password" {
				time.Sleep(2 * time.Second) // it hears nothing from the AAA server before its time is up
			}
		},
	})
	harness.Eventually(t, harness.ReplyTimeout, "two calls that come to nothing", func() bool { return strings.Count(stuck.Auth.String(), "password") >= 2 })
	if failures := g.Status(t).Failures; len(failures) > 0 {
		t.Errorf("the failures are %v", failures)
	}
	if stuck.Auth.Contains("somebody") {
		t.Error("the second user was tried")
	}
}

func TestAManagerLogsInByPasswordAndByKeyAndNotOtherwise(t *testing.T) {
	t.Parallel()
	g, _ := simulatorLab(t, harness.Config{}, devicesim.Options{})
	for name, test := range map[string]struct {
		change func(*harness.Target)
		ok     bool
	}{
		"password":       {func(*harness.Target) {}, true},
		"key":            {func(target *harness.Target) { target.KeyPath = g.Key.Path }, true},
		"wrong password": {func(target *harness.Target) { target.Password = "guess" }, false},
		"other key":      {func(target *harness.Target) { target.KeyPath = harness.NewKey(t).Path }, false},
		"unknown name":   {func(target *harness.Target) { target.Username = "nobody" }, false},
	} {
		target := g.Target(devicePort)
		test.change(&target)
		client, err := harness.TryDial(target)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
		if client != nil {
			client.Close()
		}
	}
}

func TestAManagerReachesOnlyItsDevices(t *testing.T) {
	t.Parallel()
	key := harness.NewKey(t)
	g, _ := simulatorLab(t, harness.Config{Blocks: []string{
		fmt.Sprintf("manager \"guest\" {\n  authorized_keys = [%q]\n  devices = [\"core-*\"]\n}\n", key.AuthorizedKey()),
	}}, devicesim.Options{})
	for _, target := range []harness.Target{g.Target(devicePort), g.SharedTarget("edge-1")} {
		target.Username = strings.Replace(target.Username, "noc", "guest", 1)
		target.KeyPath = key.Path
		if client, err := harness.TryDial(target); err == nil {
			client.Close()
			t.Errorf("it logged in at %s", target.Address)
		}
	}
}

// The gateway shows what its state directory keeps: the key is the same after
// a restart, or managers would be warned of an attack.
func TestTheGatewaysHostKeySurvivesARestart(t *testing.T) {
	t.Parallel()
	g := harness.StartGateway(t, harness.Config{})
	before := hostKeyOf(t, g)
	g.Stop(t)
	g.Start(t)
	if after := hostKeyOf(t, g); after != before {
		t.Errorf("the host key was %s and is %s", before, after)
	}
}

func hostKeyOf(t *testing.T, g *harness.Gateway) string {
	t.Helper()
	var seen string
	_, _ = ssh.Dial("tcp", g.SharedTarget("edge-1").Address, &ssh.ClientConfig{
		Timeout: harness.ReplyTimeout,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			seen = ssh.FingerprintSHA256(key)
			return nil
		},
	})
	if seen == "" {
		t.Fatal("the gateway showed no host key")
	}
	return seen
}
