package tests

import (
	"strings"
	"testing"
	"time"

	"callhome-gateway/tests/harness"
)

// tick is how often the libnetconf2 device notifies: soon enough for a test,
// and seldom enough for scrapligo, which loses a reply that it reads together
// with a part of a notification.
const tick = 150 * time.Millisecond

func TestEveryManagerDoesTheMainJobOnEveryDevice(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			for _, kind := range harness.ManagerKinds() {
				t.Run(kind.Name, func(t *testing.T) {
					harness.Need(t, kind.Needs...)
					target := l.edge1()
					if strings.HasPrefix(kind.Name, "OpenSSH") {
						target = l.KeyTarget(devicePort)
					}
					l.mustDoTheJob(t, kind.Connect(t, target), kind.Name)
				})
			}
			for _, kind := range harness.TLSManagerKinds() {
				t.Run(kind.Name+" over TLS", func(t *testing.T) {
					harness.Need(t, kind.Needs...)
					l.mustDoTheJob(t, kind.Connect(t, l.edge1TLS()), kind.Name+" over TLS")
				})
			}
			for _, version := range []string{"1.0", "1.1"} {
				t.Run("yangcli with base "+version, func(t *testing.T) {
					doJobWithYangcli(t, l, version)
				})
			}
			l.mustBeTheSameLink(t)
		})
	}
}

func (l *lab) mustDoTheJob(t *testing.T, m harness.Manager, name string) {
	t.Helper()
	if m.SessionID() == 0 || m.SessionID() == l.link.SessionID {
		t.Errorf("session-id %d, and the control session has %d", m.SessionID(), l.link.SessionID)
	}
	if err := (harness.Job{Device: l.device, Value: "set by " + name}).Run(m); err != nil {
		t.Fatal(err)
	}
}

func doJobWithYangcli(t *testing.T, l *lab, version string) {
	job := harness.Job{Device: l.device, Value: "set by yangcli " + version}
	script, shows := job.YangcliScript(harness.YangcliConfig(t, l.device.Edit(job.Value)))
	out := harness.RunYangcli(t, l.edge1(), version, script...)
	for _, want := range shows {
		if !strings.Contains(out, want) {
			t.Errorf("yangcli does not show %q:\n%s", want, out)
		}
	}
}

func TestAManagerReachesADeviceOnTheSharedPort(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			s := harness.ConnectTo(t, l.device, l.SharedTarget("edge-1"), harness.Base10, harness.Base11)
			l.mustDoTheJob(t, s, "the shared port")
			for _, kind := range harness.TLSManagerKinds() {
				if kind.SNI {
					t.Run(kind.Name, func(t *testing.T) {
						harness.Need(t, kind.Needs...)
						l.mustDoTheJob(t, kind.Connect(t, l.SharedTLSTarget("edge-1")), kind.Name+" on the shared port")
					})
				}
			}
		})
	}
}

// The framing is settled per side, so neither must know the other's.
func TestManagersOfBothVersionsWorkOnDevicesOfBothVersions(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		for _, deviceBase := range []string{"1.0", "1.1"} {
			t.Run(device.name+" with base "+deviceBase, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, device.make(t), harness.Config{}, `hello { base = ["`+deviceBase+`"] }`)
				for _, base := range []string{harness.Base10, harness.Base11} {
					s := l.connect(t, base)
					if s.Chunked != (base == harness.Base11) {
						t.Errorf("offering %s alone, chunked framing is %v", base, s.Chunked)
					}
					if err := (harness.Job{Device: l.device, Value: "set with " + base}).Run(s); err != nil {
						t.Errorf("a manager with %s: %v", base, err)
					}
				}
			})
		}
	}
}
