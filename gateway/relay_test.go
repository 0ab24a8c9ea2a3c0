package gateway

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/internal/netconf"
)

func TestRelayTranslatesFraming(t *testing.T) {
	for _, device := range []netconf.Framing{simple, chunked} {
		for _, manager := range []netconf.Framing{simple, chunked} {
			t.Run(fmt.Sprintf("%v manager, %v device", manager, device), func(t *testing.T) {
				r := newRig(t, Options{}, device).open(manager)
				for i := range 3 {
					request, answer := rpc(i, "<get/>"), reply(i, "<data/>")
					r.send(r.manager, request)
					if got := read(t, r.device); got != request {
						t.Errorf("the device got %q", got)
					}
					r.send(r.device, answer)
					if got := read(t, r.manager); got != answer {
						t.Errorf("the manager got %q", got)
					}
				}
			})
		}
	}
}

func TestUnsoundMessagesNeverReachTheDevice(t *testing.T) {
	for name, doc := range map[string]string{
		"no XML":              "hello?",
		"two roots":           rpc(1, "<get/>") + rpc(2, "<get/>"),
		"mismatched tag":      `<rpc xmlns="` + netconf.NamespaceBase + `" message-id="1"><get></rpc>`,
		"DOCTYPE":             `<!DOCTYPE rpc []>` + rpc(1, "<get/>"),
		"bad UTF-8":           rpc(1, "<get>\xff</get>"),
		"unknown entity":      rpc(1, "<get>&x;</get>"),
		"second hello":        string((&netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}}).Document()),
		"an rpc-reply":        reply(1, "<ok/>"),
		"wrong namespace":     `<rpc xmlns="urn:example" message-id="1"><get/></rpc>`,
		"no namespace":        `<rpc message-id="1"><get/></rpc>`,
		"ends too early":      `<rpc xmlns="` + netconf.NamespaceBase + `" message-id="1"><get>`,
		"garbage behind":      rpc(1, "<get/>") + "x",
		"larger than allowed": rpc(1, "<get>"+strings.Repeat("x", 1<<20)+"</get>"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{MaxMessage: 1 << 20}, chunked).open(chunked)
			r.send(r.manager, doc)
			nothing := r.async(func() {
				if got, err := tryRead(r.device); err == nil {
					t.Errorf("the device got %.100q", got)
				}
			})
			got := read(t, r.manager)
			want := "malformed-message"
			if strings.HasPrefix(name, "larger") {
				want = "too-big"
			}
			if !strings.Contains(got, "<rpc-error>") || !strings.Contains(got, want) {
				t.Errorf("the manager got %q", got)
			}
			if e := r.end(); e.status == 0 || e.reason == "" {
				t.Errorf("ended with %+v", e)
			}
			nothing()
		})
	}
}

// A refusal does not overtake the replies to what was sent before it.
func TestRefusalComesAfterOutstandingReplies(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	r.send(r.manager, rpc(1, "<get/>"), "garbage")
	read(t, r.device)
	r.send(r.device, reply(1, "<data/>"))
	if got := read(t, r.manager); got != reply(1, "<data/>") {
		t.Errorf("first came %q", got)
	}
	if got := read(t, r.manager); !strings.Contains(got, "malformed-message") {
		t.Errorf("then came %q", got)
	}
	r.end()
}

func TestHalfAnRPCNeverReachesTheDevice(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	nothing := r.async(func() {
		if got, err := tryRead(r.device); err == nil {
			t.Errorf("the device got %q", got)
		}
	})
	half := rpc(1, "<get/>")[:40]
	fmt.Fprintf(r.wire, "\n#%d\n%s", len(half), half)
	r.wire.CloseWrite()
	if e := r.end(); !strings.Contains(e.reason, "middle of a message") {
		t.Errorf("ended with %q", e.reason)
	}
	nothing()
}

func TestEmptyMessagesAreDropped(t *testing.T) {
	r := newRig(t, Options{}, simple).open(simple)
	go fmt.Fprint(r.wire, "]]>]]>\n]]>]]>  ]]>]]>"+rpc(1, "<get/>")+"]]>]]>")
	if got := read(t, r.device); got != rpc(1, "<get/>") {
		t.Errorf("the device got %q", got)
	}
}

func TestDelimiterInARequest(t *testing.T) {
	smuggled := rpc(1, "<get><!-- ]]>]]>"+strings.ReplaceAll(rpc(2, "<reboot/>"), "--", "")+" --></get>")
	t.Run("to a base:1.0 device", func(t *testing.T) {
		// The manager's session is base:1.0 as well: two messages, the first
		// of them cut off.
		r := newRig(t, Options{}, simple).open(chunked)
		go fmt.Fprint(r.wire, smuggled+"]]>]]>")
		if got := read(t, r.manager); !strings.Contains(got, "malformed-message") {
			t.Errorf("the manager got %q", got)
		}
	})
	t.Run("to a base:1.1 device that is spoken to in 1.0", func(t *testing.T) {
		r := newRigWith(t, Options{}, simple, deviceHello(7, chunked)).open(chunked)
		r.send(r.manager, smuggled)
		if got := read(t, r.manager); !strings.Contains(got, "operation-failed") || !strings.Contains(got, `message-id="1"`) {
			t.Errorf("the manager got %q", got)
		}
		r.send(r.manager, rpc(3, "<get/>"))
		if got := read(t, r.device); got != rpc(3, "<get/>") {
			t.Errorf("the device got %q", got)
		}
	})
	t.Run("to a base:1.1 device", func(t *testing.T) {
		r := newRig(t, Options{}, chunked).open(chunked)
		r.send(r.manager, smuggled)
		if got := read(t, r.device); got != smuggled {
			t.Errorf("the device got %q", got)
		}
	})
}

func TestDelimiterInAReply(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(simple)
	r.send(r.device, reply(1, "<!-- ]]>]]> -->"))
	if got, err := tryRead(r.manager); err == nil {
		t.Errorf("the manager got %q", got)
	}
	if e := r.end(); !strings.Contains(e.reason, "base:1.0") || e.sentence == "" {
		t.Errorf("ended with %+v", e)
	}
}

func TestLargeMessagesArriveWhole(t *testing.T) {
	const size = 3 << 20
	dir := t.TempDir()
	for _, device := range []netconf.Framing{simple, chunked} {
		r := newRig(t, Options{SpoolMemory: 64 << 10, TempDir: dir}, device).open(chunked)
		large := rpc(1, "<edit-config>"+strings.Repeat("0123456789abcdef", size/16)+"</edit-config>")
		r.send(r.manager, large)
		if got := read(t, r.device); sha256.Sum256([]byte(got)) != sha256.Sum256([]byte(large)) {
			t.Errorf("%v: %d bytes arrived, and not those that were sent", device, len(got))
		}
		// A small one behind it, that none of the large one's traces are in.
		r.send(r.manager, rpc(2, "<get/>"))
		if got := read(t, r.device); got != rpc(2, "<get/>") {
			t.Errorf("%v: the device got %.100q", device, got)
		}
		large = reply(1, strings.Repeat("0123456789abcdef", size/16))
		r.send(r.device, large)
		if got := read(t, r.manager); got != large {
			t.Errorf("%v: %d bytes came back, and not those that were sent", device, len(got))
		}
	}
}

func TestBudgetIsSharedAndGivenBack(t *testing.T) {
	r := newRig(t, Options{SpoolBudget: 100 << 10}, chunked).open(chunked)
	large := rpc(1, strings.Repeat("x", 64<<10))
	for range 5 {
		r.send(r.manager, large)
		read(t, r.device)
		r.send(r.device, reply(1, "<ok/>"))
		read(t, r.manager)
	}
	r.send(r.manager, rpc(2, "<get/>")) // when it arrives, the large one is gone
	read(t, r.device)
	r.send(r.device, reply(2, "<ok/>"))
	read(t, r.manager)
	if !r.relay.spool.budget.take(90 << 10) { // other sessions
		t.Fatal("the budget was not given back")
	}
	r.send(r.manager, large)
	if got := read(t, r.manager); !strings.Contains(got, "resource-denied") {
		t.Errorf("the manager got %.300q", got)
	}
	r.end()
	r.relay.spool.budget.give(90 << 10)
	if left := r.relay.spool.budget.left.Load(); left != 100<<10 {
		t.Errorf("%d bytes are left of the budget", left)
	}
}

func TestKillSession(t *testing.T) {
	kill := func(id string) string { return "<kill-session><session-id>" + id + "</session-id></kill-session>" }
	for _, c := range []struct{ operation, want string }{
		{kill("1"), "access-denied"}, // the control session
		{kill(" 1\n"), "access-denied"},
		{kill("01"), "invalid-value"},
		{kill("+1"), "invalid-value"},
		{kill("0x1"), "invalid-value"},
		{kill(""), "invalid-value"},
		{`<kill-session><session-id xmlns="urn:other">1</session-id></kill-session>`, "operation-failed"},
		{kill("<!-- -->1"), "operation-failed"},
		{`<kill-session xmlns="urn:other"><session-id>1</session-id></kill-session>`, "invalid-value"},
		{"<kill-session><session-id>9</session-id><session-id>1</session-id></kill-session>", "operation-failed"},
		{"<get/>" + kill("1"), "operation-failed"},
		{kill("7"), ""},
		{kill("12"), ""},
		{"<close-session/>", ""},
	} {
		r := newRig(t, Options{}, chunked).open(chunked)
		r.send(r.manager, rpc(5, c.operation))
		if c.want == "" {
			if got := read(t, r.device); got != rpc(5, c.operation) {
				t.Errorf("%s: the device got %q", c.operation, got)
			}
			continue
		}
		got := read(t, r.manager)
		if !strings.Contains(got, "<error-tag>"+c.want) || !strings.Contains(got, `message-id="5"`) {
			t.Errorf("%s: the manager got %q", c.operation, got)
		}
		// The session goes on.
		r.send(r.manager, rpc(6, "<get/>"))
		if got := read(t, r.device); got != rpc(6, "<get/>") {
			t.Errorf("%s: then the device got %q", c.operation, got)
		}
	}
}

func TestOwnAnswersKeepTheOrder(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	r.send(r.manager, rpc(1, "<get/>"),
		rpc(2, "<kill-session><session-id>1</session-id></kill-session>"), rpc(3, "<get/>"))
	read(t, r.device)
	// A notification is no reply.
	r.send(r.device, `<notification xmlns="`+netconf.NamespaceNotification+`"/>`, reply(1, "<data/>"))
	read(t, r.manager)
	for i, want := range []string{reply(1, "<data/>"), "access-denied"} {
		if got := read(t, r.manager); !strings.Contains(got, want) {
			t.Errorf("reply %d is %q", i+1, got)
		}
	}
	if got := read(t, r.device); got != rpc(3, "<get/>") {
		t.Errorf("the device got %q", got)
	}
}

func TestHalfCloseIsCarriedOver(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	r.async(func() {
		_ = r.manager.WriteDocument([]byte(rpc(1, "<get/>")))
		r.wire.CloseWrite()
	})
	read(t, r.device)
	if _, err := r.device.Next(); err != io.EOF {
		t.Fatalf("the device reads %v, want the end", err)
	}
	r.async(func() {
		_ = r.device.WriteDocument([]byte(reply(1, "<data/>")))
		r.device.Close()
	})
	if got := read(t, r.manager); got != reply(1, "<data/>") {
		t.Errorf("the manager got %q", got)
	}
	if e := r.end(); e != endedByManager {
		t.Errorf("ended with %q", e.reason)
	}
}

func TestHalfAMessageAtTheEndCostsNoReply(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	r.async(func() {
		_ = r.manager.WriteDocument([]byte(rpc(1, "<get/>")))
		_, _ = io.WriteString(r.wire, "\n#9\n<rpc")
		_ = r.wire.CloseWrite()
	})
	read(t, r.device)
	r.send(r.device, reply(1, "<data/>"))
	if got := read(t, r.manager); got != reply(1, "<data/>") {
		t.Errorf("the manager got %q", got)
	}
	if e := r.end(); !strings.Contains(e.reason, "middle of a message") {
		t.Errorf("ended with %q", e.reason)
	}
}

// A device that does not end the session by itself has some seconds for it.
func TestHalfClosedSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, chunked).open(chunked)
		r.async(func() {
			_ = r.manager.WriteDocument([]byte(rpc(1, "<get/>")))
			r.wire.CloseWrite()
		})
		read(t, r.device)
		time.Sleep(time.Hour) // the reply is waited for, however long it takes
		r.send(r.device, reply(1, "<data/>"))
		if got := read(t, r.manager); got != reply(1, "<data/>") {
			t.Errorf("the manager got %q", got)
		}
		begin := time.Now()
		if e := r.end(); e != endedByManager {
			t.Errorf("ended with %q", e.reason)
		}
		if took := time.Since(begin); took != farewell {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestStalls(t *testing.T) {
	for name, c := range map[string]struct {
		stall func(r *rig)
		want  string
	}{
		"reads nothing": {func(r *rig) {
			r.device.WriteDocument([]byte(reply(1, strings.Repeat("x", 100<<10))))
		}, "reads nothing"},
		"stops in a message": {func(r *rig) {
			fmt.Fprint(r.wire, "\n#100\n<rpc")
		}, "middle of a message"},
		"stops in a chunk header": {func(r *rig) {
			_ = r.manager.WriteDocument([]byte(rpc(1, "<get/>")))
			fmt.Fprint(r.wire, "\n#10")
		}, "middle of a message"},
		"is silent for an hour": {func(r *rig) {
			_ = r.manager.WriteDocument([]byte(rpc(1, "<get/>")))
			time.Sleep(time.Hour)
			r.cancel(endedByManager)
		}, "the manager ended the session"},
		"leaves a newline and is silent for an hour": {func(r *rig) {
			_ = r.manager.WriteDocument([]byte(rpc(1, "<get/>")))
			fmt.Fprint(r.wire, "\n")
			time.Sleep(time.Hour)
			r.cancel(endedByManager)
		}, "the manager ended the session"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{}, chunked).open(chunked)
				drained := r.async(func() {
					for {
						if _, err := tryRead(r.device); err != nil {
							return
						}
					}
				})
				begin := time.Now()
				wait := r.async(func() { c.stall(r) })
				e := <-r.ended
				r.ended = nil
				if !strings.Contains(e.reason, c.want) {
					t.Errorf("ended with %q", e.reason)
				}
				if took := time.Since(begin); strings.Contains(name, "hour") != (took >= time.Hour) {
					t.Errorf("ended after %v", took)
				}
				r.manager.Close()
				r.relay.device.Close()
				drained()
				wait()
			})
		})
	}
}

func TestManagerHello(t *testing.T) {
	hello := func(h netconf.Hello) string { return string(h.Document()) + "]]>]]>" }
	for name, c := range map[string]struct{ sends, want string }{
		"none":           {"", "no hello"},
		"garbage":        {"GET / HTTP/1.0\r\n\r\n]]>]]>", "no NETCONF"},
		"an rpc":         {rpc(1, "<get/>") + "]]>]]>", "no NETCONF"},
		"no base":        {hello(netconf.Hello{Capabilities: []string{"urn:x"}}), "no base version"},
		"a session-id":   {hello(netconf.Hello{SessionID: 3, Capabilities: []string{netconf.CapabilityBase10}}), "session-id"},
		"half a hello":   {"<hello", "middle of a message"},
		"endless header": {"<hello " + strings.Repeat("a", 2<<20), "no NETCONF"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{HelloTimeout: 2 * time.Minute}, chunked)
				read(t, r.manager)
				wait := r.async(func() { io.WriteString(r.wire, c.sends) })
				if e := <-r.ended; !strings.Contains(e.reason, c.want) || e.status == 0 && !e.abrupt && c.want != "middle of a message" {
					t.Errorf("ended with %+v", e)
				}
				r.ended = nil
				r.manager.Close()
				wait()
			})
		})
	}
}

func TestDeviceEnds(t *testing.T) {
	t.Run("its session", func(t *testing.T) {
		r := newRig(t, Options{}, chunked).open(chunked)
		r.device.Close()
		if e := r.end(); e != endedByDevice {
			t.Errorf("ended with %q", e.reason)
		}
	})
	t.Run("its connection", func(t *testing.T) {
		r := newRig(t, Options{}, chunked).open(chunked)
		r.link.all = []session{r.relay.device}
		r.link.breaks(errors.New("reset"))
		if e := r.end(); !strings.Contains(e.reason, "connection") || e.detail == nil || e.status != 1 {
			t.Errorf("ended with %+v", e)
		}
	})
	t.Run("in the middle of a message", func(t *testing.T) {
		r := newRig(t, Options{}, chunked).open(chunked)
		go func() {
			fmt.Fprintf(r.device.Closer.(io.Writer), "\n#100\n%s", reply(1, "")[:50])
			r.device.Close()
		}()
		if got, err := tryRead(r.manager); err == nil {
			t.Errorf("the manager got %q", got)
		}
		if e := r.end(); e.status != 1 {
			t.Errorf("ended with %+v", e)
		}
	})
}

// Each message is one write to the device, and the counts are right.
func TestOneWriteForEachMessage(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	request := rpc(1, "<get/>")
	for range 3 {
		r.send(r.manager, request)
		// A pipe hands over what one write wrote.
		var got [1 << 10]byte
		n, err := r.device.Closer.(io.Reader).Read(got[:])
		want := fmt.Sprintf("\n#%d\n%s\n##\n", len(request), request)
		if err != nil || !bytes.Equal(got[:n], []byte(want)) {
			t.Errorf("the device read %q, %v", got[:n], err)
		}
	}
	if n := r.relay.received.Load(); n != 3 {
		t.Errorf("%d messages were counted", n)
	}
}
