package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// hostile is what a broken or malicious manager may send after its hello.
type hostile struct {
	name string
	// document goes out in the session's framing; raw goes out as it is.
	document, raw string
	// bases says which sessions it is for; empty means both.
	bases []string
	// goesOn says that the session survives it.
	goesOn bool
	// to10 says that it is sound for a device of base:1.1, and refused, with an
	// rpc-error and without an end, for one of base:1.0.
	to10 bool
}

const (
	soundOperation = "<get-config><source><running/></source></get-config>"
	soundRPC       = `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="9">` + soundOperation + `</rpc>`
)

// Each of these crashes or confuses at least one of the real devices when it
// reaches it. The empty frames crash both.
var hostiles = []hostile{
	{name: "empty frame", raw: harness.EndOfMessage, bases: []string{harness.Base10}, goesOn: true},
	{name: "white space frame", raw: "\n" + harness.EndOfMessage, bases: []string{harness.Base10}, goesOn: true},
	{name: "many empty frames", raw: strings.Repeat(harness.EndOfMessage, 100), bases: []string{harness.Base10}, goesOn: true},
	{name: "message without a chunk", raw: "\n##\n", bases: []string{harness.Base11}, goesOn: true},
	{name: "white space chunk", document: "  \n", bases: []string{harness.Base11}, goesOn: true},
	{name: "no XML", document: "make the device fall over"},
	{name: "broken UTF-8", document: "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"1\"><a>\xff\xfe</a></rpc>"},
	{name: "mismatched tags", document: `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1"><get></rpc>`},
	{name: "two roots", document: soundRPC + soundRPC},
	{name: "DOCTYPE", document: `<!DOCTYPE rpc [<!ENTITY a "b">]>` + soundRPC},
	{name: "another root", document: `<reboot xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"/>`},
	{name: "rpc in no namespace", document: `<rpc message-id="1">` + soundOperation + `</rpc>`},
	{name: "second hello", document: harness.Hello(harness.Base10, harness.Base11)},
	{name: "rpc-reply", document: `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1"><ok/></rpc-reply>`},
	{name: "delimiter in a chunked message", document: "<!-- " + harness.EndOfMessage + soundRPC + harness.EndOfMessage + " -->" + soundRPC, bases: []string{harness.Base11}, goesOn: true, to10: true},
	{name: "chunk of size 0", raw: "\n#0\n\n##\n", bases: []string{harness.Base11}},
	{name: "chunk of an absurd size", raw: "\n#99999999999999999999\nx", bases: []string{harness.Base11}},
	{name: "no chunk at all", raw: soundRPC + harness.EndOfMessage, bases: []string{harness.Base11}},
}

func TestWhatWouldCrashADeviceNeverReachesIt(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		// on a device of base:1.0 a delimiter inside a message would be the
		// beginning of another one
		for _, deviceBase := range []string{"1.0", "1.1"} {
			t.Run(device.name+" with base "+deviceBase, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, device.make(t), harness.Config{}, `hello { base = ["`+deviceBase+`"] }`)
				witness := l.connect(t, harness.Base11)
				for _, h := range hostiles {
					for _, base := range h.sessions() {
						t.Run(h.name+" "+base, func(t *testing.T) {
							s := l.connect(t, base)
							sendHostile(t, s, h)
							if h.to10 && deviceBase == "1.0" && !s.Heard("rpc-error") {
								t.Error("it was not refused")
							}
							answersWithin(t, witness.Session, harness.ReplyTimeout)
						})
					}
				}
				if !l.device.Alive() {
					t.Error("the device is down")
				}
				l.mustBeTheSameLink(t)
				l.mustServe(t)
			})
		}
	}
}

func (h hostile) sessions() []string {
	if len(h.bases) > 0 {
		return h.bases
	}
	return []string{harness.Base10, harness.Base11}
}

// sendHostile sends it, and checks that the session ends with a reason or goes on.
func sendHostile(t *testing.T, s *harness.Subsystem, h hostile) {
	t.Helper()
	if h.document != "" {
		h.raw = s.Frame(h.document)
	}
	if err := s.SendRaw(h.raw); err != nil {
		t.Fatal(err)
	}
	if h.goesOn {
		if err := s.SendRaw(s.Frame(harness.RPC("77", soundOperation))); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, harness.ReplyTimeout, "the reply after it", func() bool {
			reply, err := s.Receive(harness.ReplyTimeout)
			if err != nil {
				t.Fatalf("the session did not go on: %v", err)
			}
			return strings.Contains(reply, `message-id="77"`)
		})
		return
	}
	said, err := s.Receive(harness.ReplyTimeout)
	if err == nil && !strings.Contains(said, "malformed-message") {
		t.Errorf("instead of malformed-message: %.500s", said)
	}
	if err != nil && s.Stderr.String() == "" {
		t.Errorf("the session ended without a word: %v", err)
	}
	if !s.Ended(harness.ReplyTimeout) {
		t.Error("the session did not end")
	}
}

func TestHalfAnRPCNeverReachesADevice(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			witness := l.connect(t, harness.Base11)
			for _, base := range []string{harness.Base10, harness.Base11} {
				s := l.connect(t, base)
				frame := s.Frame(soundRPC)
				if err := s.SendRaw(frame[:len(frame)-20]); err != nil {
					t.Fatal(err)
				}
				answersWithin(t, witness.Session, harness.ReplyTimeout)
				s.Close()
				answersWithin(t, witness.Session, harness.ReplyTimeout)
			}
			l.mustServe(t)
			l.mustBeTheSameLink(t)
		})
	}
}

// The simulator tells what arrived at it, as the real devices do not.
func TestOnlySoundRequestsArriveAtADevice(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var arrived []string
	o := devicesim.Options{
		OnMessage: func(_ uint32, document []byte) {
			mu.Lock()
			defer mu.Unlock()
			arrived = append(arrived, string(document))
		},
	}
	overSSH, _ := simulatorLab(t, harness.Config{}, o, `hello { base = ["1.0"] }`)
	overTLS := tlsSimulatorLab(t, harness.Config{}, o, `hello { base = ["1.0"] }`).Gateway
	for _, g := range []*harness.Gateway{overSSH, overTLS} {
		for _, h := range hostiles {
			for _, base := range h.sessions() {
				sendHostile(t, harness.Connect(t, g.Target(devicePort), base), h)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	sound := regexp.MustCompile(`^` + strings.Replace(regexp.QuoteMeta(harness.RPC("ID", soundOperation)), "ID", `\S*`, 1) + `$`)
	arrived = slices.DeleteFunc(arrived, func(d string) bool { return sound.MatchString(d) })
	if len(arrived) > 0 {
		t.Errorf("besides sound requests there arrived %q", arrived)
	}
}

func TestKillingTheControlSessionIsRefused(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			killer, victim := l.connect(t, harness.Base11), l.connect(t, harness.Base10)
			for _, spelling := range []string{
				fmt.Sprintf("<kill-session><session-id>%d</session-id></kill-session>", l.link.SessionID),
				fmt.Sprintf("<kill-session><!-- -->\n<session-id> %d </session-id></kill-session>", l.link.SessionID),
				fmt.Sprintf(`<x:kill-session xmlns:x="urn:ietf:params:xml:ns:netconf:base:1.0"><x:session-id>0%d</x:session-id></x:kill-session>`, l.link.SessionID),
			} {
				reply, err := killer.RPC(harness.ReplyTimeout, spelling)
				if err != nil || !strings.Contains(reply, "rpc-error>") {
					t.Errorf("%s: %v: %s", spelling, err, reply)
				}
			}
			l.mustBeTheSameLink(t)
			killsAnotherManager(t, killer, victim)
			l.mustBeTheSameLink(t)
			l.mustServe(t)
		})
	}
}

func killsAnotherManager(t *testing.T, killer, victim *harness.Subsystem) {
	t.Helper()
	reply, err := killer.RPC(harness.ReplyTimeout, fmt.Sprintf("<kill-session><session-id>%d</session-id></kill-session>", victim.ID))
	if err != nil || !strings.Contains(reply, "ok/>") {
		t.Errorf("killing another manager's session: %v: %s", err, reply)
	}
	if !victim.Ended(harness.ReplyTimeout) {
		t.Error("the killed session goes on")
	}
}
