package tests

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// everyFeature are a device's where the rules of one session for all apply.
var everyFeature = devicesim.Features{
	Candidate: true, WritableRunning: true, ConfirmedCommit: "1.1", Startup: true, Validate: true, Replay: 10,
}

// ruleKinds are devices with a candidate, on one session.
func ruleKinds() []deviceKind {
	return []deviceKind{
		sharedKinds()[0], // netconfd
		{"simulator over TLS", func(t *testing.T) *harness.Device {
			return harness.NewSimulatedDevice(t, devicesim.Options{Features: everyFeature, Heartbeat: -1})
		}},
	}
}

// pair opens two manager sessions with the device, over TLS and over SSH.
func (l *lab) pair(t *testing.T) (a, b *harness.Session) {
	t.Helper()
	return harness.ConnectTLS(t, l.edge1TLS(), harness.Base11), harness.Connect(t, l.edge1(), harness.Base11).Session
}

var errorTag = regexp.MustCompile(`error-tag>\s*([a-z-]+)\s*<`)

// answer sends an operation and returns "ok", "data" for another good reply,
// or the error-tag.
func answer(t *testing.T, s *harness.Session, operation string) string {
	t.Helper()
	reply, err := s.RPC(harness.ReplyTimeout, operation)
	if err != nil {
		t.Fatalf("%s: %v: %.500s", operation, err, reply)
	}
	if found := errorTag.FindStringSubmatch(reply); found != nil {
		return found[1]
	}
	if strings.Contains(reply, "ok/>") {
		return "ok"
	}
	return "data"
}

// step is one operation of one of two managers.
type step struct {
	who             *harness.Session
	operation, want string
}

func (l *lab) follow(t *testing.T, steps []step) {
	t.Helper()
	for i, s := range steps {
		if got := answer(t, s.who, s.operation); got != s.want {
			t.Errorf("step %d: %s was answered with %s, want %s", i+1, s.operation, got, s.want)
		}
	}
	l.mustBeTheSameLink(t)
}

// The operations of the rules, on a datastore.
func lockOf(target string) string   { return "<lock><target><" + target + "/></target></lock>" }
func unlockOf(target string) string { return "<unlock><target><" + target + "/></target></unlock>" }
func read(source string) string     { return "<get-config><source><" + source + "/></source></get-config>" }
func copyTo(target, source string) string {
	return "<copy-config><target><" + target + "/></target><source><" + source + "/></source></copy-config>"
}

func (l *lab) edit(target, value string) string {
	return "<edit-config><target><" + target + "/></target><config>" + l.device.Edit(value) + "</config></edit-config>"
}

const (
	commit    = "<commit/>"
	discard   = "<discard-changes/>"
	confirmed = "<commit><confirmed/><confirm-timeout>600</confirm-timeout></commit>"
)

func TestWhileAnotherHoldsALockWhatItProtectsIsInUse(t *testing.T) {
	t.Parallel()
	for _, device := range ruleKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			holder, other := l.pair(t)
			for _, rule := range []struct {
				locked string
				in     []string // in use for the other one, and not for the holder
				reads  []string
			}{
				{"running", []string{commit}, []string{read("running"), read("candidate"), "<get/>"}},
				{"candidate", []string{l.edit("candidate", "x"), copyTo("candidate", "running"), discard, commit}, []string{read("candidate"), read("running")}},
			} {
				steps := []step{{holder, lockOf(rule.locked), "ok"}, {other, lockOf(rule.locked), "lock-denied"}}
				for _, operation := range rule.in {
					steps = append(steps, step{other, operation, "in-use"})
				}
				for _, operation := range rule.reads {
					steps = append(steps, step{other, operation, "data"})
				}
				steps = append(steps, step{other, unlockOf(rule.locked), "operation-failed"})
				for _, operation := range rule.in {
					steps = append(steps, step{holder, operation, "ok"})
				}
				l.follow(t, append(steps, step{holder, unlockOf(rule.locked), "ok"}, step{other, lockOf(rule.locked), "ok"}, step{other, unlockOf(rule.locked), "ok"}))
			}
		})
	}
}

// Only the simulator has all datastores at once.
func TestWhileAnotherHoldsALockTheDeviceSeesNothingOfIt(t *testing.T) {
	t.Parallel()
	arrived := &harness.Output{}
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{
		Features: everyFeature, OnMessage: func(_ uint32, document []byte) { _, _ = arrived.Write(append(document, '\n')) },
	})
	holder, other := l.pair(t)
	for _, rule := range []struct{ locked, operation string }{
		{"running", l.edit("running", "intruder")},
		{"running", copyTo("running", "startup")},
		{"running", "<copy-config><target><running/></target><source><config>" + l.device.Edit("intruder") + "</config></source></copy-config>"},
		{"running", commit},
		{"startup", copyTo("startup", "running")},
		{"startup", "<delete-config><target><startup/></target></delete-config>"},
		{"candidate", l.edit("candidate", "intruder")},
		{"candidate", copyTo("candidate", "startup")},
		{"candidate", discard},
		{"candidate", commit},
		{"running", `<edit-data xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"><datastore xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores">ds:running</datastore><config>` + l.device.Edit("intruder") + `</config></edit-data>`},
	} {
		before := len(arrived.String())
		l.follow(t, []step{{holder, lockOf(rule.locked), "ok"}, {other, rule.operation, "in-use"}, {holder, unlockOf(rule.locked), "ok"}})
		saw := arrived.String()[before:]
		if rpcs := strings.Count(saw, "</rpc>"); rpcs != 2 || strings.Contains(saw, "intruder") {
			t.Errorf("%s locked, %s: the device saw %s", rule.locked, rule.operation, saw)
		}
	}
}

func TestAnOperationThatNobodyKnowsWaitsForTheLock(t *testing.T) {
	t.Parallel()
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{})
	holder, other := l.pair(t)
	const unknown = `<echo xmlns="` + devicesim.NamespaceSim + `"/>`
	l.follow(t, []step{{holder, lockOf("running"), "ok"}})
	if err := other.Send(harness.RPC("17", unknown)); err != nil {
		t.Fatal(err)
	}
	if reply, err := other.Receive(300 * time.Millisecond); err == nil {
		t.Fatalf("it was answered: %s", reply)
	}
	l.follow(t, []step{{holder, unknown, "data"}, {holder, read("running"), "data"}, {holder, unlockOf("running"), "ok"}})
	if reply, err := other.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, `message-id="17"`) {
		t.Errorf("after the unlock: %v: %s", err, reply)
	}
}

func TestTheCandidateBelongsToWhomeverEditsItFirst(t *testing.T) {
	t.Parallel()
	for _, device := range ruleKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			owner, other := l.pair(t)
			for end, done := range map[string]string{"commit": commit, "discard": discard} {
				l.follow(t, []step{
					{owner, l.edit("candidate", "of the owner, to "+end), "ok"},
					{other, l.edit("candidate", "of another"), "in-use"},
					{other, commit, "in-use"}, {other, discard, "in-use"}, {other, copyTo("candidate", "running"), "in-use"},
					{other, read("candidate"), "data"},
					{owner, done, "ok"},
					{other, l.edit("candidate", "of another, after "+end), "ok"}, {owner, commit, "in-use"}, {other, discard, "ok"},
				})
			}
		})
	}
}

// What was left in it would go along with the next manager's commit.
func TestTheCandidateOfALeaverIsDiscarded(t *testing.T) {
	t.Parallel()
	for _, locked := range []bool{false, true} {
		for _, device := range ruleKinds() {
			t.Run(fmt.Sprintf("%s, locked %v", device.name, locked), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, device.make(t), harness.Config{})
				for _, leave := range []func(s *harness.Session) error{(*harness.Session).Close, (*harness.Session).CloseSession} {
					leaver, other := l.pair(t)
					if locked {
						l.follow(t, []step{{leaver, lockOf("candidate"), "ok"}})
					}
					l.follow(t, []step{{leaver, l.edit("candidate", "left behind"), "ok"}})
					if err := leave(leaver); err != nil {
						t.Fatal(err)
					}
					harness.Eventually(t, harness.ReplyTimeout, "the candidate to be free", func() bool { return answer(t, other, lockOf("candidate")) == "ok" })
					if reply, err := other.GetConfig("candidate"); err != nil || strings.Contains(reply, "left behind") {
						t.Errorf("the candidate: %v: %s", err, reply)
					}
					l.follow(t, []step{{other, unlockOf("candidate"), "ok"}})
				}
			})
		}
	}
}

func killOf(id uint32) string {
	return fmt.Sprintf("<kill-session><session-id>%d</session-id></kill-session>", id)
}

func TestKillSessionEndsOneManagerAndWhatItHeld(t *testing.T) {
	t.Parallel()
	for _, device := range sharedKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			killer, victim := l.pair(t)
			witness := harness.ConnectTLS(t, l.edge1TLS(), harness.Base10)
			l.follow(t, []step{
				{victim, lockOf(l.device.Target), "ok"},
				{killer, killOf(killer.ID), "invalid-value"},
				{killer, killOf(witness.ID + 100000), "invalid-value"},
				{killer, killOf(victim.ID), "ok"},
				{killer, lockOf(l.device.Target), "ok"}, // free already, without waiting
				{killer, killOf(victim.ID), "invalid-value"},
			})
			if !victim.Ended(harness.ReplyTimeout) {
				t.Error("the killed session goes on")
			}
			answersWithin(t, witness, harness.ReplyTimeout)
			answersWithin(t, killer, harness.ReplyTimeout)
		})
	}
}

func TestCloseSessionEndsOneManagerAfterItsReplies(t *testing.T) {
	t.Parallel()
	for _, device := range sharedKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			leaver, witness := l.pair(t)
			var all string
			for i := range 10 {
				all += leaver.Frame(harness.RPC(fmt.Sprint(i), soundOperation))
			}
			if err := leaver.SendRaw(all + leaver.Frame(harness.RPC("10", "<close-session/>"))); err != nil {
				t.Fatal(err)
			}
			for i := range 11 {
				if reply, err := leaver.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, fmt.Sprintf(`message-id="%d"`, i)) {
					t.Fatalf("reply %d: %v: %s", i, err, reply)
				}
			}
			if !leaver.Ended(harness.ReplyTimeout) {
				t.Error("the closed session goes on")
			}
			answersWithin(t, witness, harness.ReplyTimeout)
			l.mustBeTheSameLink(t)
		})
	}
}

// The device would take another manager's plain commit for the confirmation.
func TestAConfirmedCommitIsNotConfirmedByAnother(t *testing.T) {
	t.Parallel()
	for _, device := range ruleKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			owner, other := l.pair(t)
			l.follow(t, []step{
				{owner, l.edit("candidate", "confirmed"), "ok"}, {owner, confirmed, "ok"},
				{other, commit, "in-use"},
				{other, read("running"), "data"},
				{owner, commit, "ok"},
				{other, l.edit("candidate", "after it"), "ok"}, {other, commit, "ok"},
			})
		})
	}
}

func TestAConfirmedCommitOfALeaverIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, device := range ruleKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			leaver, other := l.pair(t)
			l.follow(t, []step{{leaver, l.edit("candidate", "not confirmed"), "ok"}, {leaver, confirmed, "ok"}})
			if reply, err := other.GetConfig("running"); err != nil || !strings.Contains(reply, "not confirmed") {
				t.Fatalf("before: %v: %s", err, reply)
			}
			leaver.Close()
			runningLoses(t, other, "not confirmed")
			l.mustBeTheSameLink(t)
		})
	}
}

func runningLoses(t *testing.T, s *harness.Session, value string) {
	t.Helper()
	harness.Eventually(t, harness.ReplyTimeout, "the commit to be taken back", func() bool {
		reply, err := s.GetConfig("running")
		return err == nil && !strings.Contains(reply, value)
	})
}

// RFC 6241 section 8.4.1: with persist it survives the session.
func TestAPersistentConfirmedCommitSurvivesItsManager(t *testing.T) {
	t.Parallel()
	for _, device := range ruleKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			leaver, other := l.pair(t)
			l.follow(t, []step{
				{leaver, l.edit("candidate", "persistent"), "ok"},
				{leaver, "<commit><confirmed/><confirm-timeout>600</confirm-timeout><persist>token</persist></commit>", "ok"},
				{leaver, "<close-session/>", "ok"},
			})
			if reply, err := other.GetConfig("running"); err != nil || !strings.Contains(reply, "persistent") {
				t.Fatalf("after its manager: %v: %s", err, reply)
			}
			if tag := answer(t, other, commit); tag == "ok" {
				t.Error("another one confirmed it without the token")
			}
			l.follow(t, []step{{other, "<commit><persist-id>token</persist-id></commit>", "ok"}})
			if reply, err := other.GetConfig("running"); err != nil || !strings.Contains(reply, "persistent") {
				t.Fatalf("after the confirmation: %v: %s", err, reply)
			}
		})
	}
}

// A device of base:1.0 knows no cancel-commit: only the end of its session
// takes the commit back.
func TestWhereADeviceCannotCancelTheLinkIsClosed(t *testing.T) {
	t.Parallel()
	for _, device := range ruleKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{}, `hello { base = ["1.0"] }`)
			leaver, other := l.pair(t)
			l.follow(t, []step{{leaver, l.edit("candidate", "not confirmed"), "ok"}, {leaver, confirmed, "ok"}})
			leaver.Close()
			if !other.Ended(harness.ReplyTimeout) {
				t.Fatal("the link was not closed")
			}
			if l.device.Kind == "netconfd" { // which calls once
				l.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away)
				l.device.CallHome(t, l.Address)
			}
			l.AwaitDevice(t, harness.ReplyTimeout, "the device to be back", func(d control.Device) bool {
				return d.Name == "edge-1" && d.State == control.StateConnected && !d.Since.Equal(l.link.Since)
			})
			runningLoses(t, l.connect(t, harness.Base11).Session, "not confirmed")
		})
	}
}

// What it had asked for is done when it is gone, and undone then.
func TestAManagerThatLeavesInTheMiddleDisturbsNobody(t *testing.T) {
	t.Parallel()
	for _, device := range sharedKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			witness := l.connect(t, harness.Base11).Session
			for range 5 {
				leaver := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
				if err := leaver.Send(harness.RPC("1", lockOf(l.device.Target))); err != nil {
					t.Fatal(err)
				}
				leaver.Close()
				answersWithin(t, witness, harness.ReplyTimeout)
			}
			if l.device.BlobNamespace != "" {
				leaver := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
				if err := leaver.Send(harness.RPC("1", l.device.Blob(largeReply))); err != nil {
					t.Fatal(err)
				}
				leaver.Close() // with most of the reply still to come
				answersWithin(t, witness, harness.ReplyTimeout)
			}
			harness.Eventually(t, harness.ReplyTimeout, "the lock to be free", func() bool { return answer(t, witness, lockOf(l.device.Target)) == "ok" })
			l.mustBeTheSameLink(t)
		})
	}
}

func TestALibnetconf2ManagerSeesAndKillsAnother(t *testing.T) {
	t.Parallel()
	for _, device := range sharedKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			harness.Need(t, "libnetconf2")
			l := newLab(t, device.make(t), harness.Config{})
			holder := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
			l.follow(t, []step{{holder, lockOf(l.device.Target), "ok"}})
			m := harness.ConnectLibnetconfTLS(t, l.edge1TLS()).(*harness.LibnetconfManager)
			if err := m.Lock(l.device.Target); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("session-id>%d<", holder.ID)) {
				t.Errorf("locking what session %d has locked: %v", holder.ID, err)
			}
			if err := m.KillSession(holder.ID); err != nil {
				t.Error(err)
			}
			if !holder.Ended(harness.ReplyTimeout) {
				t.Error("the killed session goes on")
			}
			if err := m.Lock(l.device.Target); err != nil {
				t.Error(err)
			}
			l.mustBeTheSameLink(t)
		})
	}
}
