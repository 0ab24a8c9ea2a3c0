package tests

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/store"
	"callhome-gateway/tests/harness"
)

// These tests are not parallel: each keeps all processors busy.

const (
	natFleet    = 500
	natKnown    = 100 // of them have a session entry; the rest waits for approval
	natNoUser   = 450 // is the first that was approved without a user entry
	natSampled  = 20  // of them are asked who they are
	natMaxCalls = 40  // are more than enough to find one of five usernames
	natPatience = time.Minute
)

func TestManyDevicesBehindOneAddressAttachUnderTheirOwnNames(t *testing.T) {
	fleet, source := harness.NewFleet(t, "olt", natFleet), harness.Address(t)
	elsewhere := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "approve"`, `users = ["fleet"]`, `reject_delay = "1s"`},
		Blocks: append(entriesOf(fleet, natKnown, noUser), harness.SimulatorUser("fleet"),
			harness.SessionEntry("elsewhere", elsewhere, "fleet", 0, `address = "192.0.2.7"`)),
	})
	wrong := wrongDevices(t, g, source, elsewhere)
	fleet.CallHome(t, g.CallHome(), "--source", source, "--reconnect", "1s")
	approveAll(t, g, fleet)
	awaitFleet(t, g, fleet)
	mustBeThemselves(t, g, fleet, source)
	for what, calls := range wrong {
		t.Logf("%s called %d times", what, calls())
		if n := calls(); n < 3 {
			t.Errorf("%s called %d times only: it has disturbed nobody because it was not there", what, n)
		}
	}
}

// An approved device without a user entry of its own is tried with the
// callhome-users in order, one at each call: it takes the most calls.
func TestDevicesOfFiveUsernamesBehindOneAddressAllAttach(t *testing.T) {
	fleet, source := harness.NewFleet(t, "olt", natFleet), harness.Address(t)
	fleet.Usernames = []string{"ann", "bob", "cyd", "dan", "eve"}
	userOf := func(i int) string { return fleet.Usernames[i%len(fleet.Usernames)] }
	blocks := entriesOf(fleet, natKnown, userOf)
	for _, user := range fleet.Usernames {
		blocks = append(blocks, harness.UserEntry(user, user, harness.Password))
	}
	g := harness.PrepareGateway(t, harness.Config{
		Callhome: []string{`trust = "pinned"`, fmt.Sprintf("users = [\"%s\"]", strings.Join(fleet.Usernames, `", "`)), `reject_delay = "200ms"`},
		Blocks:   blocks,
	})
	approved := make(map[int]string)
	for i := natKnown; i < natFleet; i++ {
		if approved[i] = userOf(i); i >= natNoUser {
			approved[i] = ""
		}
	}
	rememberApproved(t, g, fleet, approved)
	g.Start(t)
	fleet.CallHome(t, g.CallHome(), "--source", source, "--reconnect", "200ms")
	awaitFleet(t, g, fleet)
	mustBeThemselves(t, g, fleet, source)
	reportCalls(t, fleet, "with a session entry", 0, natKnown, natMaxCalls)
	reportCalls(t, fleet, "approved with a user", natKnown, natNoUser, natMaxCalls)
	reportCalls(t, fleet, "approved without a user", natNoUser, natFleet, natMaxCalls)
}

// reportCalls tells how many calls the devices from first to before end needed,
// and fails the test if one of them needed too many.
func reportCalls(t *testing.T, fleet *harness.Fleet, which string, first, end, atMost int) {
	t.Helper()
	total, worst := 0, 0
	calls := fleet.Calls()
	for i := first; i < end; i++ {
		n := calls[fleet.Device(i)]
		total, worst = total+n, max(worst, n)
	}
	t.Logf("%d devices %s needed %d calls, %d for one at most", end-first, which, total, worst)
	if worst > atMost {
		t.Errorf("a device %s needed %d calls, and %d are enough", which, worst, atMost)
	}
}

func TestWithOneUsernameEveryDeviceBehindOneAddressAttachesAtItsFirstCall(t *testing.T) {
	const count = 200 // no call may wait 8 s for its turn, on a slow machine either
	fleet := harness.NewFleet(t, "olt", count)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "pinned"`, `users = ["fleet"]`},
		Blocks:   append(entriesOf(fleet, count, noUser), harness.SimulatorUser("fleet")),
	})
	fleet.CallHome(t, g.CallHome(), "--source", harness.Address(t))
	awaitFleet(t, g, fleet)
	for device, calls := range fleet.Calls() {
		if calls != 1 {
			t.Errorf("%s attached at call number %d", device, calls)
		}
	}
}

func noUser(int) string { return "" }

// entriesOf pins the keys of the first devices. Half of them have a port of
// their own.
func entriesOf(fleet *harness.Fleet, count int, user func(i int) string) []string {
	var entries []string
	for i := range count {
		entries = append(entries, fleet.Entry(i, user(i), natPort(i)))
	}
	return entries
}

// natPort is the port that device i is configured with; 0 if it is not.
func natPort(i int) int {
	if i >= natKnown || i%2 == 1 {
		return 0
	}
	return 19000 + i
}

// rememberApproved puts devices into the state of a gateway that does not run,
// as they are after an approval with this user entry.
func rememberApproved(t *testing.T, g *harness.Gateway, fleet *harness.Fleet, users map[int]string) {
	t.Helper()
	if err := os.Mkdir(g.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	state, err := store.Open(g.StateDir, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	for i, user := range users {
		key := fleet.Keys[i].Signer.PublicKey()
		err := state.Pin(auth.Device{Name: fleet.Device(i), Identity: auth.SSHIdentity(key), User: user, Since: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// approveAll approves those that wait, under their names, until all of the
// fleet are known: how many of one address are listed is bounded.
func approveAll(t *testing.T, g *harness.Gateway, fleet *harness.Fleet) {
	t.Helper()
	number := make(map[string]int)
	for i := natKnown; i < len(fleet.Keys); i++ {
		number[fleet.Keys[i].Fingerprint()] = i
	}
	harness.Eventually(t, natPatience, "all devices to be approved", func() bool {
		for _, d := range g.Devices(t) {
			i, ours := number[d.Identity]
			if !ours || d.State != control.StatePending {
				continue
			}
			// it may have made room for another one since it was listed
			if g.Approve(control.ApproveRequest{Device: d.Identity, Name: fleet.Device(i)}) == nil {
				delete(number, d.Identity)
			}
		}
		return len(number) == 0
	})
}

func awaitFleet(t *testing.T, g *harness.Gateway, fleet *harness.Fleet) {
	t.Helper()
	begin := time.Now()
	harness.Eventually(t, natPatience, "all devices to be connected", func() bool {
		return g.Status(t).Devices.Connected == len(fleet.Keys)
	})
	t.Logf("all %d are connected after another %v", len(fleet.Keys), time.Since(begin).Round(time.Millisecond))
}

// mustBeThemselves fails the test unless each device has its own name, key and
// port, and those of a sample say who they are on these ports.
func mustBeThemselves(t *testing.T, g *harness.Gateway, fleet *harness.Fleet, source string) {
	t.Helper()
	byName, holder := make(map[string]control.Device), make(map[uint16]string)
	for _, d := range g.Devices(t) {
		if other := holder[d.Port]; d.Port != 0 && other != "" {
			t.Errorf("%s and %s have port %d", other, d.Name, d.Port)
		}
		byName[d.Name], holder[d.Port] = d, d.Name
	}
	for i, key := range fleet.Keys {
		d := byName[fleet.Device(i)]
		want := natPort(i)
		host, _, _ := net.SplitHostPort(d.Address)
		if d.State != control.StateConnected || d.Identity != key.Fingerprint() || host != source || d.Port == 0 || want != 0 && int(d.Port) != want {
			t.Errorf("%s is %+v, want key %s, address %s and port %d (0: any)", fleet.Device(i), d, key.Fingerprint(), source, want)
		}
	}
	for _, i := range rand.Perm(len(fleet.Keys))[:natSampled] {
		mustAnswerAs(t, g, int(byName[fleet.Device(i)].Port), fleet.Device(i))
	}
}

// mustAnswerAs fails the test unless the device behind the port has this name
// in its configuration.
func mustAnswerAs(t *testing.T, g *harness.Gateway, port int, name string) {
	t.Helper()
	m := harness.Connect(t, g.Target(port), harness.Base11)
	config, err := m.GetConfig("running")
	if err != nil || !strings.Contains(config, ">"+name+"<") {
		t.Errorf("behind port %d is not %s: %v %s", port, name, err, config)
	}
	m.Close()
}

// wrongDevices call from the source until the test ends, as fast as they can.
// It returns how often each has called.
func wrongDevices(t *testing.T, g *harness.Gateway, source string, elsewhere harness.Key) map[string]func() int {
	options := devicesim.Options{Connect: g.CallHome(), Source: netip.MustParseAddr(source), Reconnect: time.Millisecond}
	stranger := harness.NewSimulator(t, harness.NewKey(t), options)
	astray := harness.NewSimulator(t, elsewhere, options)
	return map[string]func() int{
		"a stranger":                             func() int { return stranger.Calls().Connected },
		"a device pinned for another address":    func() int { return astray.Calls().Connected },
		"a program that does not speak SSH":      harness.Babble(t, g.CallHome(), source, "GET / HTTP/1.0\r\n\r\n"),
		"a device that breaks off its handshake": harness.Babble(t, g.CallHome(), source, "SSH-2.0-broken\r\n\x00\x00\x00\x0c"+strings.Repeat("x", 64)),
	}
}
