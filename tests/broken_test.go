package tests

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/tests/harness"
)

// x/crypto never ends a connection whose peer has broken the protocol with
// more packets behind the offence: the gateway ends the link all the same, and
// leaves the device alone when it has done that a few times.
func TestADeviceThatBreaksTheProtocolLosesItsLinkAndNothingHangs(t *testing.T) {
	t.Parallel()
	harness.Need(t, "ncclient") // brings paramiko
	key := harness.NewECDSAKey(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`reject_delay = "0s"`},
		Blocks: []string{
			harness.UserEntry("fleet", "netconf", harness.Password),
			harness.SessionEntry("broken", key, "fleet", devicePort),
		},
	})
	brokenCalls(t, g, key, "3", "broken broken broken")
	g.AwaitDevice(t, 10*time.Second, "to be away", func(d control.Device) bool { return d.State == control.StateAway })
	g.Output.Await(t, 30*time.Second, "times=3")
	brokenCalls(t, g, key, "2", "rejected rejected")
	g.Output.Await(t, 10*time.Second, string(callhome.RejectedLimit))
	g.Stop(t)
}

// brokenCalls has the device call, and checks how far it gets.
func brokenCalls(t *testing.T, g *harness.Gateway, key harness.Key, calls, want string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(g.CallHome())
	script := filepath.Join("peers", "paramiko", "broken.py")
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", script, host, port, key.Path, calls).CombinedOutput()
	if err != nil {
		t.Fatalf("the device: %v: %s", err, out)
	}
	if got := strings.Join(strings.Fields(string(out)), " "); got != want {
		t.Errorf("%s calls ended as %q, want %q", calls, got, want)
	}
}
