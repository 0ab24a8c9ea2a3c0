package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// forget makes every refusal the first of its kind.
func (r *refusedLogins) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.seen)
}

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	var r refusedLogins
	now := time.Unix(1_700_000_000, 0)
	kind := refusedLogin{who: "noc", why: "wrong password"}
	for _, step := range []struct {
		after  time.Duration
		kind   refusedLogin
		line   bool
		before int
	}{
		{0, kind, true, 0},
		{time.Second, kind, false, 0},
		{time.Second, refusedLogin{who: "admin", why: "wrong password"}, true, 0},
		{time.Second, refusedLogin{who: "noc", why: "expired"}, true, 0},
		{time.Second, kind, false, 0},
		{time.Minute, kind, true, 2},
		{time.Minute, kind, true, 0},
	} {
		now = now.Add(step.after)
		if line, before, others := r.note(step.kind, now); line != step.line || before != step.before || others != 0 {
			t.Errorf("%v at %v: %v, %d, %d", step.kind, now, line, before, others)
		}
	}
}

// Whoever invents names fills neither the log nor the memory, and what has no
// line of its own is counted.
func TestManyKindsOfRefusalsShareALine(t *testing.T) {
	var r refusedLogins
	now := time.Unix(1_700_000_000, 0)
	const all = 5000
	lines, counted := 0, 0
	note := func(i int) {
		line, before, others := r.note(refusedLogin{who: fmt.Sprint(i)}, now)
		if line {
			lines++
		}
		counted += before + others
	}
	for i := range all {
		note(i)
	}
	if lines != maxRefusals || len(r.seen) != maxRefusals || counted != 1 {
		t.Fatalf("%d lines, %d kinds remembered, %d counted", lines, len(r.seen), counted)
	}
	note(0)
	now = now.Add(refusalEvery)
	note(all) // takes the room of those that are old by now
	for i := range maxRefusals {
		note(i)
	}
	if lines+counted != all+2+maxRefusals {
		t.Errorf("%d lines and %d counted, of %d", lines, counted, all+2+maxRefusals)
	}
}

func TestWrongPasswordsDoNotFillTheLog(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1")
	const connections = 30
	for i := range connections {
		config := password("noc@edge-1", "")
		guesses := 0
		config.Auth = []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
			guesses++
			return fmt.Sprint(i, guesses), nil
		}), 2*maxAuthTries)}
		if _, err := ssh.Dial("tcp", address(h.opts.Port), config); err == nil {
			t.Fatal("a guess was right")
		}
	}
	h.stop()
	lines := h.log.linesWith("[WARN]")
	if len(lines) > 4 || !strings.Contains(strings.Join(lines, ""), "wrong password") {
		t.Errorf("%d connections of guesses gave %d lines:\n%s", connections, len(lines), strings.Join(lines, ""))
	}
}
