package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// largeReply is more than every window and buffer on the way can hold.
const largeReply = 64 << 20

func TestFourManagersAtOnceHaveSessionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			managers := fourManagers(t, l)
			ids := map[uint32]string{l.link.SessionID: "the control session"}
			for name, m := range managers {
				if other, taken := ids[m.SessionID()]; taken {
					t.Errorf("%s has the session-id %d of %s", name, m.SessionID(), other)
				}
				ids[m.SessionID()] = name
			}
			lockIsDenied(t, l, managers)
			l.mustBeTheSameLink(t)
		})
	}
}

func fourManagers(t *testing.T, l *lab) map[string]harness.Manager {
	t.Helper()
	harness.Need(t, "ncclient", "ssh")
	return map[string]harness.Manager{
		"ncclient":  harness.ConnectNcclient(t, l.edge1()),
		"OpenSSH":   harness.ConnectOpenSSH(t, l.KeyTarget(devicePort), harness.Base10),
		"scrapligo": harness.ConnectScrapligo(t, l.edge1(), "1.1"),
		"raw":       l.connect(t, harness.Base10, harness.Base11),
	}
}

// lockIsDenied lets one manager hold the lock: the others get the device's own
// refusal, which names the holder.
func lockIsDenied(t *testing.T, l *lab, managers map[string]harness.Manager) {
	t.Helper()
	holder := managers["ncclient"]
	if err := holder.Lock(l.device.Target); err != nil {
		t.Fatal(err)
	}
	for name, m := range managers {
		if m == holder {
			continue
		}
		err := m.Lock(l.device.Target)
		if err == nil || !strings.Contains(err.Error(), "lock-denied") || !strings.Contains(err.Error(), fmt.Sprintf("session-id>%d<", holder.SessionID())) {
			t.Errorf("%s, while session %d holds the lock: %v", name, holder.SessionID(), err)
		}
		if _, err := m.GetConfig("running"); err != nil {
			t.Errorf("%s cannot read meanwhile: %v", name, err)
		}
	}
	if err := holder.Unlock(l.device.Target); err != nil {
		t.Fatal(err)
	}
	if err := managers["scrapligo"].Lock(l.device.Target); err != nil {
		t.Errorf("after the unlock: %v", err)
	}
}

func TestALockEndsWithTheManagerThatHeldIt(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			holder := l.connect(t, harness.Base11)
			if err := holder.Lock(l.device.Target); err != nil {
				t.Fatal(err)
			}
			holder.Close()
			other := l.connect(t, harness.Base11)
			harness.Eventually(t, harness.ReplyTimeout, "the lock to be free", func() bool {
				return other.Lock(l.device.Target) == nil
			})
		})
	}
}

func TestAManagerThatStopsReadingDoesNotDisturbTheOthersOnASimulator(t *testing.T) {
	t.Parallel()
	g, _ := simulatorLab(t, harness.Config{}, devicesim.Options{})
	slow := harness.Connect(t, g.Target(devicePort), harness.Base11)
	if err := slow.Send(harness.RPC("1", fmt.Sprintf(`<blob xmlns="%s"><size>%d</size></blob>`, devicesim.NamespaceSim, largeReply))); err != nil {
		t.Fatal(err)
	}
	others := harness.Connect(t, g.Target(devicePort), harness.Base11)
	for range 20 {
		answersWithin(t, others.Session, 5*time.Second)
	}
	readsItAll(t, slow.Session)
}

func TestAManagerThatStopsReadingDoesNotDisturbTheOthersOnOpenSSH(t *testing.T) {
	t.Parallel()
	l := newLab(t, harness.NewProcessPerSession(t, harness.NetconfdOptions{}), harness.Config{})
	slow := l.connect(t, harness.Base10)
	if err := slow.Send(harness.RPC("1", harness.Blob(largeReply))); err != nil {
		t.Fatal(err)
	}
	others := l.connect(t, harness.Base10)
	for range 20 {
		answersWithin(t, others.Session, 5*time.Second)
	}
	readsItAll(t, slow.Session)
	l.mustBeTheSameLink(t)
}

// libnetconf2 holds one lock for all channels of a connection while it writes,
// and netconfd, one process, stands still for everybody: only the end of the
// slow manager can help the others there.
func TestAManagerThatStopsReadingIsEndedForTheOthersWhereTheDeviceStandsStill(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			const stall = 5 * time.Second
			l := newLab(t, device.make(t), harness.Config{Gateway: []string{fmt.Sprintf("stall_timeout = %q", stall)}})
			others, slow := l.connect(t, harness.Base11), l.connect(t, harness.Base11)
			begin := time.Now()
			asksTooMuch(t, l, slow)
			l.AwaitDevice(t, stall+harness.ReplyTimeout, "the slow manager to be ended", func(d control.Device) bool {
				return d.Name == "edge-1" && d.Managers == 1
			})
			if took := time.Since(begin); took < stall {
				t.Errorf("it was ended after %v already", took)
			}
			answersWithin(t, others.Session, harness.ReplyTimeout)
			if !slow.Ended(harness.ReplyTimeout) {
				t.Error("the slow manager does not see its end")
			}
			l.mustBeTheSameLink(t)
		})
	}
}

// asksTooMuch asks for more than the buffers on the way can hold, and reads
// none of it.
func asksTooMuch(t *testing.T, l *lab, slow *harness.Subsystem) {
	t.Helper()
	request := l.device.Blob(largeReply)
	if l.device.Kind == "netconfd" {
		const part = 4 << 20
		if err := slow.EditConfig(l.device.Target, l.device.Edit(strings.Repeat("x", part))); err != nil {
			t.Fatal(err)
		}
		request = "<get-config><source><" + l.device.Target + "/></source></get-config>"
		for range largeReply/part - 1 {
			if err := slow.Send(harness.RPC("1", request)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := slow.Send(harness.RPC("1", request)); err != nil {
		t.Fatal(err)
	}
}

func answersWithin(t *testing.T, s *harness.Session, within time.Duration) {
	t.Helper()
	if reply, err := s.RPC(within, "<get-config><source><running/></source></get-config>"); err != nil || !strings.Contains(reply, "<data") {
		t.Fatalf("another manager: %v: %.300s", err, reply)
	}
}

func readsItAll(t *testing.T, s *harness.Session) {
	t.Helper()
	reply, err := s.Receive(2 * harness.ReplyTimeout)
	if err != nil || len(reply) < largeReply {
		t.Fatalf("the slow manager, reading at last: %d bytes, %v", len(reply), err)
	}
}

// What libnetconf2 does when a channel lacks its client's hello, or holds half
// an RPC, is to answer on no other channel of the connection.
func TestAManagerWithoutHelloDoesNotDisturbTheOthers(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			before := l.connect(t, harness.Base11)
			mute, err := harness.OpenSubsystem(harness.Dial(t, l.edge1()))
			if err != nil {
				t.Fatal(err)
			}
			answersWithin(t, before.Session, 5*time.Second)
			l.mustServe(t)
			if err := mute.Open(harness.ReplyTimeout, harness.Base11); err != nil {
				t.Fatalf("the late hello: %v", err)
			}
			answersWithin(t, mute.Session, 5*time.Second)
		})
	}
}

func TestAManagerWithHalfAnRPCDoesNotDisturbTheOthers(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		for _, base := range []string{harness.Base10, harness.Base11} {
			t.Run(device.name+" "+base, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, device.make(t), harness.Config{})
				before, half := l.connect(t, harness.Base11), l.connect(t, base)
				frame := half.Frame(harness.RPC("7", "<get-config><source><running/></source></get-config>"))
				if err := half.SendRaw(frame[:len(frame)/2]); err != nil {
					t.Fatal(err)
				}
				answersWithin(t, before.Session, 5*time.Second)
				l.mustServe(t)
				if err := half.SendRaw(frame[len(frame)/2:]); err != nil {
					t.Fatal(err)
				}
				if reply, err := half.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, `message-id="7"`) {
					t.Fatalf("the other half: %v: %s", err, reply)
				}
			})
		}
	}
}

// simulatorLab is a gateway with a simulator on it, as edge-1.
func simulatorLab(t *testing.T, c harness.Config, o devicesim.Options, session ...string) (*harness.Gateway, *harness.Simulator) {
	t.Helper()
	if c.Address == "" {
		c.Address = harness.Address(t)
	}
	key := harness.NewKey(t)
	c.Blocks = append(c.Blocks, harness.SimulatorUser("fleet"),
		harness.SessionEntry("edge-1", key, "fleet", devicePort, session...))
	g := harness.StartGateway(t, c)
	o.Connect = g.CallHome()
	s := harness.NewSimulator(t, key, o)
	g.AwaitConnected(t, "edge-1")
	return g, s
}
