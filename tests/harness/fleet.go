package harness

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"callhome-gateway/internal/devicesim"
)

// Fleet is two or more simulated devices in a process of their own. Their keys
// are known before they call. Device number i, from 0 on, has Keys[i], and lets
// Usernames in by turns: by default the one of SimulatorUser.
type Fleet struct {
	Keys      []Key
	Usernames []string

	name, seed string
	*Process
}

// NewFleet makes the keys of a fleet, and starts nothing.
func NewFleet(t testing.TB, name string, count int) *Fleet {
	t.Helper()
	f := &Fleet{name: name, seed: t.Name() + " " + name, Keys: make([]Key, count), Usernames: []string{SimulatorName}}
	for i := range f.Keys {
		signer, err := devicesim.KeyFromSeed(f.seed, i)
		if err != nil {
			t.Fatal(err)
		}
		f.Keys[i] = Key{Signer: signer}
	}
	return f
}

// Device is the name of a device, which its configuration carries.
func (f *Fleet) Device(i int) string { return fmt.Sprintf("%s-%d", f.name, i+1) }

// Entry is a session entry under this name that pins the device's key.
func (f *Fleet) Entry(i int, user string, port int, more ...string) string {
	return SessionEntry(f.Device(i), f.Keys[i], user, port, more...)
}

// CallHome lets all devices call at once, and again until the test ends.
func (f *Fleet) CallHome(t testing.TB, gateway string, flags ...string) {
	t.Helper()
	own := []string{"--connect", gateway, "--name", f.name, "--count", fmt.Sprint(len(f.Keys)), "--seed", f.seed,
		"--username", strings.Join(f.Usernames, ","), "--password", Password}
	f.Process = Start(t, "callhome-device", exec.Command(SimulatorBinary(t), append(own, flags...)...))
}

var callConnected = regexp.MustCompile(`call connected: device=(\S+)`)

// Calls is how often each device has called so far, by name. It needs the log
// at level info.
func (f *Fleet) Calls() map[string]int {
	calls := make(map[string]int)
	for line := range strings.Lines(f.Output.String()) {
		if found := callConnected.FindStringSubmatch(line); found != nil {
			calls[found[1]]++
		}
	}
	return calls
}
