package share

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/netconf"
)

// contentOf returns the operation that a test calls by a short name.
func contentOf(short string) string {
	name, argument, _ := strings.Cut(short, " ")
	target := func(operation string) string {
		return "<" + operation + "><target><" + argument + "/></target></" + operation + ">"
	}
	switch name {
	case "lock", "unlock", "edit-config", "delete-config":
		return target(name)
	case "edit-data":
		return `<edit-data xmlns="` + spaceNMDA + `"><datastore>` + argument + `</datastore></edit-data>`
	case "copy-config":
		from, to, _ := strings.Cut(argument, "→")
		return "<copy-config><target><" + to + "/></target><source><" + from + "/></source></copy-config>"
	case "commit", "cancel-commit":
		return "<" + name + ">" + elements(argument) + "</" + name + ">"
	case "subscribe":
		return `<create-subscription xmlns="` + spaceNotification + `">` + elements(argument) + `</create-subscription>`
	case "reboot":
		return `<reboot xmlns="urn:vendor"/>`
	}
	return "<" + short + "/>"
}

// elements writes arguments such as "confirmed persist=x".
func elements(arguments string) (content string) {
	for _, a := range strings.Fields(arguments) {
		name, value, _ := strings.Cut(a, "=")
		content += "<" + name + ">" + value + "</" + name + ">"
	}
	return content
}

func operationOf(t *testing.T, short string) *operation {
	t.Helper()
	o, refusal := understand(message(rpc(1, contentOf(short))))
	if refusal != nil {
		t.Fatalf("%s: %s", short, refusal.Message)
	}
	return o
}

// timeline is a state and what happens to it.
type timeline struct {
	*state
	t   *testing.T
	now time.Time
}

// happens lets a session do something, as in "1 lock running": "1! …" fails,
// "1? …" has no clear reply, "1 leaves" and "599s pass" are what they say. It
// returns what is ruled, or is to be cleaned up.
func (s *timeline) happens(event string) string {
	s.t.Helper()
	who, what, _ := strings.Cut(event, " ")
	if d, err := time.ParseDuration(who); err == nil {
		s.now = s.now.Add(d)
		return ""
	}
	outcome := netconf.Succeeded
	if rest, ok := strings.CutSuffix(who, "!"); ok {
		who, outcome = rest, netconf.Failed
	} else if rest, ok := strings.CutSuffix(who, "?"); ok {
		who, outcome = rest, netconf.Unclear
	}
	n, err := strconv.ParseUint(who, 10, 32)
	if err != nil {
		s.t.Fatal(event)
	}
	id := uint32(n)
	if what == "leaves" {
		return s.leaves(id)
	}
	o := operationOf(s.t, what)
	r := s.rule(id, o, s.now)
	switch r.verdict {
	case pass:
		s.apply(id, o, outcome, s.now)
		return "passes"
	case join:
		s.joined(id)
		return "joins"
	case wait:
		return "waits"
	case hangUp:
		return "ends the link"
	}
	if r.err.Tag == "lock-denied" {
		_, holder, _ := strings.Cut(r.err.Info, ">")
		holder, _, _ = strings.Cut(holder, "<")
		return r.err.Tag + " " + holder
	}
	return r.err.Tag
}

func (s *timeline) leaves(id uint32) string {
	chores, err := s.leave(id, s.now)
	if err != nil {
		return "ends the link"
	}
	var all []string
	for _, c := range chores {
		text := strings.NewReplacer("<unlock><target><", "unlock ", "/></target></unlock>", "", "<", "", "/>", "").Replace(c.rpc)
		if c.lenient {
			text += "?"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

var everything = abilities{candidate: true, confirmed: true, cancel: true, events: true}

// TestPolicy has a row for each rule: what has happened, what is wanted, and
// what becomes of it.
func TestPolicy(t *testing.T) {
	for _, row := range []struct{ before, event, want string }{
		// Locks.
		{"", "1 lock running", "passes"},
		{"1 lock running", "2 lock running", "lock-denied 1"},
		{"1 lock running", "2 lock candidate", "passes"},
		{"1 lock running", "1 lock running", "passes"}, // the device refuses
		{"1! lock running", "2 lock running", "passes"},
		{"1? lock running", "2 lock running", "lock-denied 1"},
		{"1 lock startup", "2 lock startup", "lock-denied 1"},
		{"1 lock candidate", "2 lock candidate", "lock-denied 1"},
		{"1 edit-config candidate", "2 lock candidate", "lock-denied 1"},
		{"1 edit-config candidate", "1 lock candidate", "passes"},
		{"1 commit confirmed", "2 lock running", "lock-denied 1"},
		{"1 commit confirmed", "1 lock running", "passes"},
		{"1 commit confirmed persist=x; 1 leaves", "2 lock running", "passes"},
		{"", "1 lock intended", "passes"},
		{"", "1 unlock intended", "passes"},
		{"1 lock intended", "2 lock intended", "lock-denied 1"},
		{"1 lock intended", "2 unlock intended", "operation-failed"},
		{"1 lock running", "2 unlock running", "operation-failed"},
		{"1 lock running", "1 unlock running", "passes"},
		{"1 lock running; 1 unlock running", "2 lock running", "passes"},
		{"1 lock running; 1! unlock running", "2 lock running", "lock-denied 1"},
		{"1 lock running; 1? unlock running", "2 lock running", "lock-denied 1"},
		{"", "1 unlock running", "passes"}, // the device refuses
		{"1 lock running", "1 leaves", "unlock running"},
		{"1 lock running; 1 lock startup; 1 lock candidate", "1 leaves", "discard-changes?, unlock candidate, unlock running, unlock startup"},
		{"1 lock running; 1 leaves", "2 lock running", "passes"},
		{"1 lock running; 2 leaves", "2 lock running", "lock-denied 1"},

		// What a lock is in the way of.
		{"1 lock running", "2 edit-config running", "in-use"},
		{"1 lock running", "2 edit-data running", "in-use"},
		{"1 lock running", "2 copy-config startup→running", "in-use"},
		{"1 lock running", "2 copy-config running→startup", "passes"},
		{"1 lock running", "2 copy-config running→url", "passes"},
		{"1 lock startup", "2 copy-config running→startup", "in-use"},
		{"1 lock startup", "2 delete-config startup", "in-use"},
		{"1 lock running", "2 commit", "in-use"},
		{"1 lock candidate", "2 commit", "in-use"},
		{"1 lock startup", "2 commit", "passes"},
		{"1 lock candidate", "2 discard-changes", "in-use"},
		{"1 lock running", "2 discard-changes", "passes"},
		{"1 lock candidate", "2 edit-config candidate", "in-use"},
		{"1 lock candidate", "2 edit-data candidate", "in-use"},
		{"1 lock candidate", "2 edit-config running", "passes"},
		{"1 lock candidate", "2 copy-config running→candidate", "in-use"},
		{"1 lock running", "1 edit-config running", "passes"},
		{"1 lock candidate; 1 lock running", "1 commit", "passes"},
		{"1 lock running", "2 get", "passes"},
		{"1 lock running", "2 get-config", "passes"},
		{"1 lock running", "2 get-data", "passes"},
		{"1 lock running", "2 get-schema", "passes"},
		{"1 lock running", "2 get-interface-information", "passes"},
		{"1 lock running", "2 validate", "passes"},
		{"1 lock running", "2 reboot", "waits"},
		{"1 lock running", "1 reboot", "passes"},
		{"1 lock running", "2 edit-data intended", "waits"},
		{"1 lock running; 1 unlock running", "2 reboot", "passes"},
		{"1 lock running; 1 leaves", "2 reboot", "passes"},
		{"1 lock running; 2 lock candidate", "1 reboot", "in-use"}, // or both would wait
		{"1 lock running; 2 lock candidate", "2 reboot", "in-use"},
		{"1 lock running; 2 lock candidate", "3 reboot", "waits"},
		{"1 lock running; 2 edit-config candidate", "2 reboot", "in-use"},

		// The candidate.
		{"1 edit-config candidate", "2 edit-config candidate", "in-use"},
		{"1 edit-data candidate", "2 edit-config candidate", "in-use"},
		{"1 copy-config running→candidate", "2 edit-config candidate", "in-use"},
		{"1 edit-config candidate", "2 copy-config running→candidate", "in-use"},
		{"1 edit-config candidate", "2 copy-config candidate→running", "in-use"},
		{"1 edit-config candidate", "2 copy-config candidate→startup", "in-use"},
		{"1 edit-config candidate", "2 copy-config candidate→url", "passes"},
		{"1 edit-config candidate", "1 copy-config candidate→running", "passes"},
		{"1 edit-config candidate", "2 commit", "in-use"},
		{"1 edit-config candidate", "2 discard-changes", "in-use"},
		{"1 edit-config candidate", "2 edit-config running", "passes"},
		{"1 edit-config candidate", "2 get-config", "passes"},
		{"1 edit-config candidate", "2 reboot", "waits"},
		{"1 edit-config candidate", "1 edit-config candidate", "passes"},
		{"1 edit-config candidate", "1 commit", "passes"},
		{"1 edit-config candidate; 1 commit", "2 edit-config candidate", "passes"},
		{"1 edit-config candidate; 1 commit", "2 commit", "passes"},
		{"1 edit-config candidate; 1! commit", "2 commit", "in-use"},
		{"1 edit-config candidate; 1? commit", "2 commit", "in-use"},
		{"1 edit-config candidate; 1 discard-changes", "2 commit", "passes"},
		{"1 edit-config candidate; 1! discard-changes", "2 commit", "in-use"},
		{"1! edit-config candidate", "2 commit", "in-use"}, // half of it may be there
		{"1! edit-config candidate; 1 discard-changes", "2 commit", "passes"},
		{"1 edit-config candidate", "1 leaves", "discard-changes"},
		{"1 edit-config candidate; 1! edit-config candidate", "1 leaves", "discard-changes"},
		{"1! edit-config candidate", "1 leaves", "discard-changes?"},
		{"1? edit-config candidate", "1 leaves", "discard-changes?"},
		{"1 edit-config candidate; 1 commit", "1 leaves", ""},
		{"1 edit-config candidate; 1 leaves", "2 edit-config candidate", "passes"},
		{"1 edit-config running", "1 leaves", ""},

		// Confirmed commits.
		{"1 commit confirmed", "2 commit", "in-use"},
		{"1 commit confirmed", "2 commit confirmed", "in-use"},
		{"1 commit confirmed", "2 commit persist-id=x", "in-use"},
		{"1 commit confirmed", "2 cancel-commit", "in-use"},
		{"1 commit confirmed", "1 commit", "passes"},
		{"1 commit confirmed", "1 cancel-commit", "passes"},
		{"1 commit confirmed; 1 commit", "2 commit", "passes"},
		{"1 commit confirmed; 1! commit", "2 commit", "in-use"},
		{"1 commit confirmed; 1 cancel-commit", "2 commit", "passes"},
		{"1! commit confirmed", "2 commit", "passes"},
		{"1? commit confirmed", "2 commit", "in-use"},
		{"1 commit confirmed; 599s pass", "2 commit", "in-use"},
		{"1 commit confirmed; 600s pass", "2 commit", "passes"},
		{"1 commit confirmed confirm-timeout=30; 29s pass", "2 commit", "in-use"},
		{"1 commit confirmed confirm-timeout=30; 30s pass", "2 commit", "passes"},
		{"1 commit confirmed confirm-timeout=30; 20s pass; 1 commit confirmed confirm-timeout=30; 20s pass", "2 commit", "in-use"},
		{"1 commit confirmed", "2 edit-config candidate", "passes"},
		{"1 commit confirmed", "2 get", "passes"},
		{"1 commit confirmed", "2 reboot", "passes"},
		{"1 commit confirmed", "1 leaves", "cancel-commit"},
		{"1 commit confirmed; 600s pass", "1 leaves", ""},
		{"1 commit confirmed; 1 commit", "1 leaves", ""},
		{"1 edit-config candidate; 1 lock running; 1 commit confirmed; 1 edit-config candidate", "1 leaves", "cancel-commit, discard-changes, unlock running"},
		{"1 commit confirmed persist=x", "1 leaves", ""},
		{"1 commit confirmed persist=x", "2 commit", "in-use"},
		{"1 commit confirmed persist=x", "2 commit persist-id=x", "passes"},
		{"1 commit confirmed persist=x", "2 cancel-commit persist-id=x", "passes"},
		{"1 commit confirmed persist=x", "2 cancel-commit", "in-use"},
		{"1 commit confirmed persist=x; 1 leaves", "2 commit", "in-use"},
		{"1 commit confirmed persist=x; 1 leaves", "2 commit persist-id=x", "passes"},
		{"1 commit confirmed persist=x; 1 leaves; 2 commit persist-id=x", "3 commit", "passes"},
		{"1 commit confirmed persist=x; 1 leaves; 2! commit persist-id=x", "3 commit", "in-use"},
		{"1 commit confirmed persist=x; 1 leaves; 600s pass", "3 commit", "passes"},
		{"1 commit confirmed persist=x; 1 leaves; 2 commit confirmed persist-id=x", "2 leaves", ""},
		{"1 commit confirmed persist=x; 1 leaves; 2 commit confirmed persist-id=x; 2 leaves", "3 commit", "in-use"},
		{"1 edit-config candidate; 1 commit confirmed", "2 edit-config candidate", "passes"},

		// Notifications.
		{"", "1 subscribe", "passes"},
		{"1 subscribe", "2 subscribe", "joins"},
		{"1 subscribe", "2 subscribe stream=NETCONF", "joins"},
		{"1 subscribe", "2 subscribe stream=other", "in-use"},
		{"1 subscribe stream=a filter=x", "2 subscribe filter=x stream=a", "joins"},
		{"1 subscribe stream=a filter=x", "2 subscribe stream=a filter=y", "in-use"},
		{"1 subscribe stream=a filter=x", "2 subscribe stream=a", "in-use"},
		{"1 subscribe", "2 subscribe startTime=1", "in-use"},
		{"1 subscribe startTime=1", "2 subscribe", "in-use"},
		{"1 subscribe startTime=1", "2 subscribe startTime=1", "in-use"},
		{"", "1 subscribe startTime=1", "passes"},
		{"1 subscribe", "1 subscribe", "passes"}, // the device refuses
		{"1 subscribe; 2 subscribe", "1 subscribe", "in-use"},
		{"1! subscribe", "2 subscribe stream=other", "passes"},
		{"1 subscribe; 2 subscribe; 1 leaves", "3 subscribe stream=other", "in-use"},
		{"1 subscribe; 2 subscribe; 1 leaves", "3 subscribe", "joins"},
		{"1 subscribe", "1 leaves", ""},
		{"1 subscribe; 1 leaves", "2 subscribe", "joins"},
		{"1 subscribe; 1 leaves", "2 subscribe stream=other", "ends the link"},
		{"1 subscribe startTime=1; 1 leaves", "2 subscribe", "ends the link"},
		{"1 subscribe", "2 lock running", "passes"},

		// What belongs to the session.
		{"", "1 partial-lock", "operation-not-supported"},
		{"", "1 partial-unlock", "operation-not-supported"},
		{"", "1 establish-subscription", "operation-not-supported"},
		{"", "1 modify-subscription", "operation-not-supported"},
		{"", "1 delete-subscription", "operation-not-supported"},
		{"", "1 kill-subscription", "operation-not-supported"},
		{"", "1 start-transaction", "operation-not-supported"},
		{"", "1 prepare-transaction", "operation-not-supported"},
		{"", "1 commit-transaction", "operation-not-supported"},
		{"", "1 abort-transaction", "operation-not-supported"},
		{"", "1 open-configuration", "operation-not-supported"},
		{"", "1 close-configuration", "operation-not-supported"},
		{"", "1 lock-configuration", "operation-not-supported"},
		{"", "1 unlock-configuration", "operation-not-supported"},
		{"", "1 reboot", "passes"},
	} {
		run(t, newState(everything, false), row.before, row.event, row.want)
	}
}

// TestPolicyOfLesserDevices is TestPolicy where the device cannot do all.
func TestPolicyOfLesserDevices(t *testing.T) {
	for _, row := range []struct {
		can                 abilities
		before, event, want string
	}{
		{abilities{}, "", "1 subscribe", "operation-not-supported"},
		{abilities{}, "1 edit-config candidate", "2 edit-config candidate", "passes"},
		{abilities{}, "1! edit-config candidate", "1 leaves", ""},
		{abilities{}, "1 commit confirmed", "2 commit", "passes"}, // the device took it for a plain one
		{abilities{confirmed: true}, "1 commit confirmed", "1 leaves", "ends the link"},
		{abilities{confirmed: true}, "1 commit confirmed; 600s pass", "1 leaves", ""},
		{abilities{confirmed: true}, "1 commit confirmed persist=x", "1 leaves", ""},
	} {
		run(t, newState(row.can, false), row.before, row.event, row.want)
	}
}

// TestPolicyOfOneManager is TestPolicy where one has the device to itself.
func TestPolicyOfOneManager(t *testing.T) {
	for _, row := range []struct{ before, event, want string }{
		{"", "1 partial-lock", "passes"},
		{"", "1 subscribe", "passes"},
		{"1 subscribe", "1 leaves", "ends the link"},
		{"1! subscribe", "1 leaves", ""},
		{"1 partial-lock", "1 leaves", "ends the link"},
		{"1! partial-lock", "1 leaves", ""},
		{"1 edit-config candidate; 1 lock running", "1 leaves", "discard-changes, unlock running"},
		{"1 commit confirmed", "1 leaves", "ends the link"},
	} {
		run(t, newState(abilities{candidate: true, confirmed: true}, true), row.before, row.event, row.want)
	}
}

func run(t *testing.T, s *state, before, event, want string) {
	t.Helper()
	now := timeline{s, t, time.Unix(1e9, 0)}
	if before != "" {
		for _, e := range strings.Split(before, "; ") {
			now.happens(e)
		}
	}
	if got := now.happens(event); got != want {
		t.Errorf("%s: got %q, want %q", strings.TrimPrefix(before+"; "+event, "; "), got, want)
	}
}
