package tests

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
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
	{name: "silence over TLS", overTLS: true, kinds: []string{"silence"}, each: 48 * kib},
}

// One after the other, and beside no other test: each takes the whole machine.
func TestAFloodOfCallsKeepsNoDeviceOut(t *testing.T) {
	for _, f := range floods {
		t.Run(f.name, f.run)
	}
}

func (f flood) run(t *testing.T) {
	l := newFloodLab(t, f.overTLS)
	target := l.CallHome()
	if f.overTLS {
		target = l.CallHomeTLS()
	}
	attack := harness.StartAttack(t, harness.Attack{Target: target, Kinds: f.kinds, Connections: strangers})
	attack.AwaitAll(t, harness.ReplyTimeout)
	l.attaches(t, 1)
	l.staysFor(t, floodLasts)
	l.attaches(t, 2)

	tally, grown := attack.Tally(), peakMemory(t, l.PID())-l.memory
	t.Logf("%d of %d connections are open, %d were made; the gateway has grown by %d KiB for each, and written %d lines",
		tally.Open, strangers, tally.Made, grown/kib/strangers, len(l.Output.Lines("")))
	if tally.Open < strangers/2 && tally.Made < 2*strangers {
		t.Errorf("only %d connections are open: this is no flood", tally.Open)
	}
	if grown > strangers*f.each {
		t.Errorf("the gateway has grown by %d MiB", grown>>20)
	}
	attack.Kill()
	l.recovers(t)
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

func newFloodLab(t *testing.T, overTLS bool, blocks ...string) *floodLab {
	t.Helper()
	l := &floodLab{devices: floodDevices(t, overTLS)}
	for i, d := range l.devices {
		user := fmt.Sprintf("user-%d", i)
		blocks = append(blocks, d.UserEntry(user), d.SessionEntry(floodName(i), user, devicePort+i))
	}
	l.Gateway = harness.StartGateway(t, harness.Config{Plain: true, Blocks: blocks})
	l.devices[0].CallHome(t, l.Address)
	l.link = l.AwaitConnected(t, floodName(0))
	l.manager = harness.ConnectTo(t, l.devices[0], l.Target(devicePort), harness.Base11)
	l.memory, l.files, l.goroutines = residentMemory(t, l.PID()), l.Files(t), l.Status(t).Goroutines
	return l
}

func floodName(i int) string { return fmt.Sprintf("edge-%d", i) }

// floodDevices are one of ours, a real one where there must be such, and
// another one of ours. All know the same username: with another one the first
// call of a device would be for finding that out.
func floodDevices(t *testing.T, overTLS bool) []*harness.Device {
	t.Helper()
	if overTLS {
		ours := func() *harness.Device { return harness.NewSimulatedDevice(t, devicesim.Options{}) }
		if !interop() {
			return []*harness.Device{ours(), ours(), ours()}
		}
		return []*harness.Device{ours(), &harness.NewLibnetconf(t, harness.LibnetconfOptions{TLS: true}).Device, ours()}
	}
	var o devicesim.Options
	ours := func() *harness.Device { return harness.NewSimulatedSSHDevice(t, o) }
	if !interop() {
		return []*harness.Device{ours(), ours(), ours()}
	}
	real := &harness.NewNetconfd(t, harness.NetconfdOptions{}).Device
	o.Username, o.Password = real.Username, real.Password
	return []*harness.Device{ours(), real, ours()}
}

// interop says that all real devices are there.
func interop() bool { return os.Getenv(harness.InteropVariable) == "1" }

// attaches lets the device of this number call, and a manager work with it.
func (l *floodLab) attaches(t *testing.T, i int) {
	t.Helper()
	d, name, begin := l.devices[i], floodName(i), time.Now()
	d.CallHome(t, l.Address)
	l.AwaitConnected(t, name)
	if took := time.Since(begin); took > withinFlood {
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
	if slices.ContainsFunc(l.Devices(t), func(d control.Device) bool { return d.State == control.StateAway }) {
		t.Errorf("a device is away: %v", l.Devices(t))
	}
	answersWithin(t, l.manager.Session, withinFlood)
}
