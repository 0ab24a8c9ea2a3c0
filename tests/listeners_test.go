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
)

// Two fleets behind one address need different usernames. With a port each no
// device has to call twice, and trust in one is no trust in the other.
func TestFleetsAreToldApartByThePortThatTheyCall(t *testing.T) {
	t.Parallel()
	const size, oltPort, labPort = 20, "4434", "4534"
	source := harness.Address(t)
	olts, lab := harness.NewFleet(t, "olt", size), harness.NewFleet(t, "lab", size)
	olts.Usernames, lab.Usernames = []string{"ann"}, []string{"bob"}
	blocks := []string{
		harness.UserEntry("olts", "ann", harness.Password),
		strings.Replace(harness.UserEntry("lab", "bob", harness.Password), "}\n", "  first_use_password = true\n}\n", 1),
	}
	for i := range size {
		blocks = append(blocks, olts.Entry(i, "olts", 0, `listener = "olts"`))
	}
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{
			`trust = "pinned"`, `reject_delay = "100ms"`,
			listener("olts", oltPort, `users = ["olts"]`),
			listener("lab", labPort, `users = ["lab"]`, `trust = "first-use"`),
		},
		Blocks: blocks,
	})
	at := func(port string) string { return net.JoinHostPort(g.Address, port) }
	olts.CallHome(t, at(oltPort), "--source", source)
	lab.CallHome(t, at(labPort), "--source", source)
	g.AwaitConnectedCount(t, 2*size)
	for _, fleet := range []*harness.Fleet{olts, lab} {
		for device, calls := range fleet.Calls() {
			if calls != 1 {
				t.Errorf("%s has called %d times", device, calls)
			}
		}
	}
	users := make(map[string]int)
	for _, d := range g.Devices(t) {
		users[d.User]++
		if i := slices.IndexFunc(olts.Keys, func(k harness.Key) bool { return k.Fingerprint() == d.Identity }); i >= 0 && d.Name != olts.Device(i) {
			t.Errorf("%s is called %s", olts.Device(i), d.Name)
		}
	}
	if users["olts"] != size || users["lab"] != size {
		t.Errorf("the users are %v", users)
	}

	options := devicesim.Options{Connect: at(labPort), Source: netip.MustParseAddr(source), Reconnect: 100 * time.Millisecond}
	astray := harness.NewSimulator(t, olts.Keys[0], options)
	awaitRefusal(t, g, callhome.RejectedUntrusted, olts.Keys[0], "limited to the listener olts, but called lab")
	options.Connect = at(oltPort)
	stranger := harness.NewKey(t)
	unknown := harness.NewSimulator(t, stranger, options)
	awaitRefusal(t, g, callhome.RejectedUntrusted, stranger, "")
	for _, s := range []*harness.Simulator{astray, unknown} {
		if asked := s.Auth.String(); asked != "" {
			t.Errorf("%s was asked to log in: %s", s.Name(), asked)
		}
	}
	if d := g.Device(t, olts.Device(0)); d.State != control.StateConnected {
		t.Errorf("the device that is where it belongs is %s", d.State)
	}
}

func listener(name, port string, lines ...string) string {
	return fmt.Sprintf("listener %q {\n    port = %s\n    %s\n  }", name, port, strings.Join(lines, "\n    "))
}

// awaitRefusal waits until a call with this key has ended for the reason, and
// the gateway has said so in words.
func awaitRefusal(t *testing.T, g *harness.Gateway, reason callhome.Reason, key harness.Key, words string) {
	t.Helper()
	harness.Eventually(t, harness.ReplyTimeout, fmt.Sprintf("%s to be refused as %s (%s)", key.Fingerprint(), reason, words), func() bool {
		for _, line := range g.Output.Lines(key.Fingerprint()) {
			if strings.Contains(line, "reason="+string(reason)) && strings.Contains(line, words) {
				return true
			}
		}
		return false
	})
}
