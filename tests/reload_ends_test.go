package tests

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// reloadedLab has two devices, over SSH and over TLS, and three managers, each
// with a session with each device.
type reloadedLab struct {
	*harness.Gateway
	keys     map[string]harness.Key // of managers
	sessions map[string]*harness.Subsystem
	links    map[string]string
	pin      string // of tls-1
}

// Every kind of change ends what it concerns, and nothing else.
func TestEachKindOfChangeEndsWhatItConcerns(t *testing.T) {
	t.Parallel()
	l := newReloadedLab(t)
	otherKey := harness.NewKey(t)
	for _, test := range []struct {
		name string
		// old becomes new in the file, and is put back if back is set: that
		// concerns nobody who is left.
		old, new string
		back     bool
		// links are the devices whose links end, sessions what ends besides the
		// sessions on those.
		links, sessions []string
	}{
		{"another log level", `level = "debug"`, `level = "info"`, true, nil, nil},
		{"a manager's key", l.keys["ops"].AuthorizedKey(), otherKey.AuthorizedKey(), true, nil, []string{"ops/ssh-1", "ops/tls-1"}},
		{"what a manager may reach", `devices = ["*", "x-ops"]`, `devices = ["ssh-*", "x-ops"]`, true, nil, []string{"ops/tls-1"}},
		{"what a manager may do", `devices = ["*", "x-ops"]`, "devices = [\"*\", \"x-ops\"]\n  access = \"read-only\"", true, nil, nil},
		{"a device's port, while all came on the shared one", "port = 20001", "port = 20003", true, nil, nil},
		{"the password of a user", harness.Password + "\" # of the fleet", "another\" # of the fleet", true, nil, nil},
		{"a device is shared", `sessions = "own"`, `sessions = "shared"`, false, nil, []string{"noc/ssh-1", "ops/ssh-1", "eve/ssh-1"}},
		{"the hello to a device", "# hello of ssh-1", "hello {\n    base = [\"1.0\"]\n  }", false, []string{"ssh-1"}, nil},
		{"a listener", `trust = "pinned"`, "trust = \"pinned\"\n  listener \"more\" {\n    port = 4444\n  }", true, nil, nil},
		{"a manager has gone", `manager "eve" {`, `manager "adam" {`, true, nil, []string{"eve/ssh-1", "eve/tls-1"}},
		{"the pin of a device", l.pin, strings.Repeat("A0:", 31) + "A0", true, []string{"tls-1"}, nil},
	} {
		l.Change(t, func(config string) string { return strings.Replace(config, test.old, test.new, 1) })
		l.mustEnd(t, test.name, l.Reload(t), test.links, test.sessions)
		if test.back {
			l.Change(t, func(config string) string { return strings.Replace(config, test.new, test.old, 1) })
			l.mustEnd(t, test.name+", and back", l.Reload(t), nil, nil)
		}
		l.restore(t)
	}
}

func newReloadedLab(t *testing.T) *reloadedLab {
	t.Helper()
	sshKey, certificate := harness.NewKey(t), harness.NewDeviceTLS(t, harness.SimulatorName)
	l := &reloadedLab{keys: map[string]harness.Key{"ops": harness.NewKey(t), "eve": harness.NewKey(t)}, sessions: map[string]*harness.Subsystem{}}
	l.pin = certificate.Certificate.Fingerprint()
	user := strings.Replace(harness.SimulatorUser("fleet"), `"`+harness.Password+`"`, `"`+harness.Password+`" # of the fleet`, 1)
	l.Gateway = harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "pinned"`},
		Blocks: []string{user, harness.TLSUserEntry("tls", certificate.Login),
			harness.SessionEntry("ssh-1", sshKey, "fleet", 20001, `sessions = "own"`, "# hello of ssh-1"),
			harness.PinnedEntry("tls-1", certificate.Certificate, "tls", 20002),
			strings.Replace(managerEntry("ops", l.keys["ops"]), `"*"`, `"*", "x-ops"`, 1), managerEntry("eve", l.keys["eve"])},
	})
	l.keys["noc"] = l.Key
	harness.NewSimulator(t, sshKey, devicesim.Options{Connect: l.CallHome(), Reconnect: 200 * time.Millisecond})
	harness.NewTLSSimulator(t, certificate.Certificate, devicesim.Options{Connect: l.CallHomeTLS(), Reconnect: 200 * time.Millisecond})
	l.restore(t)
	return l
}

// restore waits for the devices and opens the sessions that are not there.
func (l *reloadedLab) restore(t *testing.T) {
	t.Helper()
	for _, device := range []string{"ssh-1", "tls-1"} {
		l.AwaitConnected(t, device)
		for manager, key := range l.keys {
			name := manager + "/" + device
			if l.sessions[name] != nil {
				continue
			}
			target := l.SharedTarget(device)
			target.Username, target.KeyPath = manager+"@"+device, key.Path
			l.sessions[name] = harness.Connect(t, target, harness.Base11)
		}
	}
	l.links = linksOf(t, l.Gateway)
}

// mustEnd compares what has ended with what should have: the result of the
// reload, the links, and each session, which is asked for something.
func (l *reloadedLab) mustEnd(t *testing.T, change string, result control.ReloadResult, links, sessions []string) {
	t.Helper()
	if result.Links != len(links) || result.Sessions != len(sessions) {
		t.Errorf("%s: the gateway says that it has ended %d links and %d sessions, want %v and %v", change, result.Links, result.Sessions, links, sessions)
	}
	for name, s := range l.sessions {
		_, device, _ := strings.Cut(name, "/")
		if slices.Contains(sessions, name) || slices.Contains(links, device) {
			if !s.Ended(harness.ReplyTimeout) {
				t.Errorf("%s: the session of %s goes on", change, name)
			}
			delete(l.sessions, name)
		} else if _, err := s.GetConfig("running"); err != nil {
			t.Errorf("%s: the session of %s: %v; the gateway said %q", change, name, err, s.Stderr.String())
		}
	}
	for name, before := range l.links {
		now := linksOf(t, l.Gateway)[name]
		if before == "" {
			continue // it may come back at any moment
		}
		if slices.Contains(links, name) == (now == before) {
			t.Errorf("%s: the link of %s is of %q, was of %q", change, name, now, before)
		}
		l.links[name] = now
	}
}
