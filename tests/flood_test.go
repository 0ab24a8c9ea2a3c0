package tests

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"

	"golang.org/x/crypto/bcrypt"
)

const (
	// strangers is how many connections a flood has at a time: more than the
	// gateway takes calls (max_calls).
	strangers = 5000
	// withinFlood is how long a device may take, from its call, to be attached in
	// the middle of a flood, and a manager to have its answer: devices that we
	// know hang up on a silent peer some seconds later.
	withinFlood = 2 * time.Second
	// floodLasts is for how long a flood goes on before the second device calls.
	floodLasts = 4 * time.Second
	// floodLines is how much the log may tell of all that: tens of thousands of
	// calls.
	floodLines = 500
	kib        = 1 << 10
)

// flood is what strangers do where devices call.
type flood struct {
	name    string
	overTLS bool
	kinds   []string
	// each bounds what the gateway's memory may grow by, in bytes for each of
	// the strangers, although it lets only max_calls of them in. A call that has
	// said nothing is a goroutine with its stack, a socket and a read buffer,
	// and over TLS the keys of a ClientHello. The collector lets twice as much
	// be there as is in use.
	each int64
}

var floods = []flood{
	{name: "silence", kinds: []string{"silence"}, each: 24 * kib},
	{name: "garbage", kinds: []string{"HTTP", "TLS hello", "noise", "endless lines", "half a version"}, each: 24 * kib},
	{name: "slow key exchanges", kinds: []string{"dripping SSH", "version alone", "no key"}, each: 32 * kib},
	{name: "silence over TLS", overTLS: true, kinds: []string{"silence"}, each: 48 * kib},
	{name: "slow handshakes over TLS", overTLS: true, kinds: []string{"dripping TLS", "half a hello", "SSH version"}, each: 48 * kib},
}

// One after the other, and beside no other test: each takes the whole machine.
func TestAFloodOfCallsKeepsNoDeviceOut(t *testing.T) {
	for _, f := range floods {
		t.Run(f.name, f.run)
	}
}

func (f flood) run(t *testing.T) {
	l := newFloodLab(t, f.overTLS, harness.Config{})
	target := l.CallHome()
	if f.overTLS {
		target = l.CallHomeTLS()
	}
	attack := harness.StartAttack(t, harness.Attack{Target: target, Kinds: f.kinds, Connections: strangers})
	attack.AwaitAll(t, harness.ReplyTimeout)
	l.attaches(t, 1, withinFlood)
	l.staysFor(t, floodLasts)
	l.attaches(t, 2, harness.ReplyTimeout) // nothing tells it from the strangers: it may have to call twice

	tally, grown, lines := attack.Tally(), peakMemory(t, l.PID())-l.memory, len(l.Output.Lines(""))
	t.Logf("%d of %d connections are open, %d were made; the gateway has grown by %d KiB for each, and written %d lines",
		tally.Open, strangers, tally.Made, grown/kib/strangers, lines)
	if tally.Open < strangers/2 && tally.Made < 2*strangers {
		t.Errorf("only %d connections are open: this is no flood", tally.Open)
	}
	if grown > strangers*f.each {
		t.Errorf("the gateway has grown by %d MiB", grown>>20)
	}
	if lines > floodLines {
		t.Errorf("the log has %d lines", lines)
	}
	attack.Kill()
	l.recovers(t)
}

// What a service is given that nobody configured. So few calls have a place then
// that a device may need more than one: that is not what this is about.
func TestAFloodLeavesFilesForTheRest(t *testing.T) {
	l := newFloodLab(t, false, harness.Config{Files: 1024})
	attack := harness.StartAttack(t, harness.Attack{Target: l.CallHome(), Kinds: []string{"silence"}, Connections: strangers})
	attack.AwaitAll(t, harness.ReplyTimeout)
	l.devices[2].CallHome(t, l.Address) // it calls again until it is let in
	l.AwaitConnected(t, floodName(2))
	l.staysFor(t, floodLasts)
	if stdout, stderr, code := l.Run(t, "status"); code != 0 || !strings.Contains(stdout, "open files") {
		t.Errorf("status: %d %s%s", code, stdout, stderr)
	}
	if lines := l.Output.Lines("few files may be open"); len(lines) != 1 {
		t.Errorf("the log tells %q", lines)
	}
	if lines := l.Output.Lines("too many open files"); len(lines) > 0 {
		t.Errorf("the log tells %q", lines)
	}
	attack.Kill()
	l.recovers(t)
}

// mayGuess bounds what the gateway's memory may grow by while thousands guess: 512
// connections are on their way in (max_logins is not an option), each with the
// buffers and keys of an SSH handshake, and the collector lets twice as much be
// there as is in use.
const mayGuess = 512 * 2 * 96 * kib

func TestAFloodOfWrongPasswordsKeepsNobodyOut(t *testing.T) {
	known := harness.Address(t)
	l := newFloodLab(t, false, harness.Config{Blocks: []string{costlyManager(t, "day"), costlyManager(t, "night")}})
	as := func(name, source string) harness.Target {
		target := l.Target(devicePort)
		target.Username, target.Source = name, source
		return target
	}
	l.logsIn(t, as("day", known))

	attack := harness.StartAttack(t, harness.Attack{Target: l.Target(devicePort).Address, Kinds: []string{"wrong password"}, Connections: strangers})
	attack.AwaitAll(t, harness.ReplyTimeout)
	l.attaches(t, 1, withinFlood)
	withKey := as("noc", known)
	withKey.KeyPath = l.Key.Path
	l.logsIn(t, withKey)
	l.logsIn(t, as("day", known)) // whose password is remembered
	l.logsIn(t, as("night", known))
	l.staysFor(t, floodLasts)
	withKey.Source = harness.Address(t)
	l.getsIn(t, withKey)
	l.attaches(t, 2, withinFlood)

	tally, grown := attack.Tally(), peakMemory(t, l.PID())-l.memory
	t.Logf("%d connections were made; the gateway has grown by %d MiB, and written %d lines", tally.Made, grown>>20, len(l.Output.Lines("")))
	if grown > mayGuess {
		t.Errorf("the gateway has grown by %d MiB", grown>>20)
	}
	attack.Kill()
	l.recovers(t)
	l.logsIn(t, as("day", harness.Address(t)))
}

// costlyManager is a manager whose password takes as long to hash as in earnest.
func costlyManager(t *testing.T, name string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(harness.Password), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("manager %q {\n  password_hash = %q\n  devices = [\"edge-*\"]\n}\n", name, hash)
}

// logsIn lets a manager log in, and work with the first device.
func (l *floodLab) logsIn(t *testing.T, target harness.Target) {
	t.Helper()
	begin := time.Now()
	client := harness.Dial(t, target)
	answersWithin(t, harness.OpenSession(t, client, harness.Base11).Session, withinFlood)
	if took := time.Since(begin); took > withinFlood {
		t.Errorf("%s took %v to log in from %s", target.Username, took, target.Source)
	} else {
		t.Logf("%s logged in within %v", target.Username, took.Round(time.Millisecond))
	}
	client.Close()
}

// getsIn is logsIn from where nobody has logged in before: nothing tells such a
// manager from the strangers until it has logged in, so that it may have to try
// more than once.
func (l *floodLab) getsIn(t *testing.T, target harness.Target) {
	t.Helper()
	tries := 0
	harness.Eventually(t, harness.ReplyTimeout, target.Username+" to log in", func() bool {
		tries++
		client, err := harness.TryDial(target)
		if err != nil {
			return false
		}
		answersWithin(t, harness.OpenSession(t, client, harness.Base11).Session, withinFlood)
		client.Close()
		return true
	})
	t.Logf("%s logged in at try %d", target.Username, tries)
}

// floodLab is a gateway that knows three devices, one of which is connected
// before the flood, with a manager on it.
type floodLab struct {
	*harness.Gateway
	devices []*harness.Device
	manager *harness.Subsystem
	link    control.Device
	// What the gateway had before the flood.
	memory            int64
	files, goroutines int
}

func newFloodLab(t *testing.T, overTLS bool, config harness.Config) *floodLab {
	t.Helper()
	l := &floodLab{devices: floodDevices(t, overTLS)}
	config.Plain = true
	for i, d := range l.devices {
		user := fmt.Sprintf("user-%d", i)
		config.Blocks = append(config.Blocks, d.UserEntry(user), d.SessionEntry(floodName(i), user, devicePort+i))
	}
	l.Gateway = harness.StartGateway(t, config)
	l.devices[0].CallHome(t, l.Address)
	l.link = l.AwaitConnected(t, floodName(0))
	l.manager = harness.ConnectTo(t, l.devices[0], l.Target(devicePort), harness.Base11)
	l.memory, l.files, l.goroutines = residentMemory(t, l.PID()), l.Files(t), l.Status(t).Goroutines
	return l
}

func floodName(i int) string { return fmt.Sprintf("edge-%d", i) }

// floodDevices are one of ours, a real one where there must be such, and
// another one of ours that comes from where nobody has been seen. All know the
// same username: with another one the first call of a device would be for
// finding that out.
func floodDevices(t *testing.T, overTLS bool) []*harness.Device {
	t.Helper()
	var o devicesim.Options
	ours := func() *harness.Device { return harness.NewSimulatedSSHDevice(t, o) }
	real := func() *harness.Device {
		d := &harness.NewNetconfd(t, harness.NetconfdOptions{}).Device
		o.Username, o.Password = d.Username, d.Password
		return d
	}
	if overTLS {
		ours = func() *harness.Device { return harness.NewSimulatedDevice(t, o) }
		real = func() *harness.Device { return &harness.NewLibnetconf(t, harness.LibnetconfOptions{TLS: true}).Device }
	}
	second := ours
	if interop() {
		second = real
	}
	devices := []*harness.Device{nil, second(), nil}
	devices[0] = ours()
	o.Source = netip.MustParseAddr(harness.Address(t))
	devices[2] = ours()
	return devices
}

// interop says that all real devices are there.
func interop() bool { return os.Getenv(harness.InteropVariable) == "1" }

// attaches lets the device of this number call, and a manager work with it.
func (l *floodLab) attaches(t *testing.T, i int, within time.Duration) {
	t.Helper()
	d, name, begin := l.devices[i], floodName(i), time.Now()
	d.CallHome(t, l.Address)
	connected := func() bool { return l.Device(t, name).State == control.StateConnected }
	if !harness.Within(harness.ReplyTimeout, connected) {
		t.Fatalf("the %s is not attached; its calls ended so: %q", d.Kind, l.Output.Lines("remote=127.0.0.1:"))
	}
	if took := time.Since(begin); took > within {
		t.Errorf("the %s took %v to be attached", d.Kind, took)
	} else {
		t.Logf("the %s was attached in %v", d.Kind, took.Round(time.Millisecond))
	}
	s := harness.ConnectTo(t, d, l.Target(devicePort+i), harness.Base11)
	answersWithin(t, s.Session, withinFlood)
	s.Close()
}

// staysFor checks all the time that the link and the manager on it are untouched.
func (l *floodLab) staysFor(t *testing.T, period time.Duration) {
	t.Helper()
	harness.Throughout(t, period, "the link", func() bool {
		answersWithin(t, l.manager.Session, withinFlood)
		now := l.Device(t, floodName(0))
		return now.State == control.StateConnected && now.Since.Equal(l.link.Since) && now.SessionID == l.link.SessionID
	})
}

// recovers waits until nothing is left of the flood.
func (l *floodLab) recovers(t *testing.T) {
	t.Helper()
	const files, goroutines = 8, 64 // of two devices more
	harness.Eventually(t, harness.ReplyTimeout, "the gateway to recover", func() bool {
		now := l.Status(t)
		return now.Calls == 0 && now.Goroutines <= l.goroutines+goroutines && l.Files(t) <= l.files+files
	})
	if now := l.Device(t, floodName(0)); !now.Since.Equal(l.link.Since) {
		t.Errorf("the link did not stay: it was %s, is %s", describe(l.link), describe(now))
	}
	answersWithin(t, l.manager.Session, withinFlood)
}
