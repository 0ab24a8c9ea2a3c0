package share

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/internal/netconf"
)

const baseDeclared = ` xmlns="` + netconf.NamespaceBase + `"`

func TestAReplyToSomethingElseEndsTheLink(t *testing.T) {
	f, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
		f.write(`<rpc-reply message-id="1"` + baseDeclared + `><ok/></rpc-reply>`)
		return ""
	})
	a := open(t, d)
	_ = a.send("<get/>")
	if _, err := a.Next(); !errors.Is(err, ErrEnding) {
		t.Errorf("Next: %v", err)
	}
	<-f.ending
	if !strings.Contains(f.why().Error(), "with a reply to") {
		t.Errorf("the link ended: %v", f.why())
	}
}

// One manager must not be able to end the link for all by a request that the
// device answers badly.
func TestAnUnreadableAnswerIsAnErrorToItsManager(t *testing.T) {
	for name, bad := range map[string]func(request) string{
		"no NETCONF":   func(request) string { return `<html/>` },
		"no namespace": func(r request) string { return `<rpc-reply message-id="` + r.ID + `"><ok/></rpc-reply>` },
		"a late hello": func(request) string { return "<hello" + baseDeclared + "/>" },
		"ill-formed": func(r request) string {
			return "<rpc-reply" + r.Attributes + ` xmlns:z="u" xmlns:z="u"><ok/></rpc-reply>`
		},
		"an endless start": func(r request) string {
			return "<rpc-reply" + r.Attributes + ` a="` + strings.Repeat("x", 4<<10) + `"/>`
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
				if r.Op.Local == "get" {
					return ok
				}
				f.write(bad(r))
				return ""
			})
			a, b := open(t, d), open(t, d)
			a.want(lockRunning, "operation-failed")
			b.want("<get/>", ok)
			a.want("<get/>", ok)
			// The lock may be there: its release cannot be read either.
			_ = a.Close()
			<-f.ending
			if !errors.Is(f.why(), errStrange) {
				t.Errorf("the link ended: %v", f.why())
			}
		})
	}
}

func TestAnUnreadableMessageThatNobodyAskedForEndsTheLink(t *testing.T) {
	f, _ := newFake(t, Options{}, all, sayOK)
	f.write("<html/>")
	<-f.ending
	if !errors.Is(f.why(), errStrange) {
		t.Errorf("the link ended: %v", f.why())
	}
}

func TestAReplyThatNobodyAskedForEndsTheLink(t *testing.T) {
	f, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
		f.write(replyTo(r, ok))
		return ok
	})
	open(t, d).want("<get/>", ok)
	<-f.ending
	if !errors.Is(f.why(), errUnasked) {
		t.Errorf("the link ended: %v", f.why())
	}
}

func TestARepeatedReplyIsNotTakenForThatToAnRPCWithoutID(t *testing.T) {
	var first request
	f, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
		if r.HasID {
			first = r
			return ok
		}
		f.write(replyTo(first, ok))
		return ""
	})
	a := open(t, d)
	a.want("<get/>", ok)
	_ = a.Send(message(`<rpc xmlns="` + netconf.NamespaceBase + `"><get/></rpc>`))
	<-f.ending
	if !strings.Contains(f.why().Error(), "reply to") {
		t.Errorf("the link ended: %v", f.why())
	}
}

func TestRepliesWithoutTheIDAreTaken(t *testing.T) {
	for name, test := range map[string]struct{ rpc, reply string }{
		"the device drops it":   {`message-id="1"`, ``},
		"there was none":        {``, ``},
		"the device made it up": {``, ` message-id="unknown"`},
	} {
		t.Run(name, func(t *testing.T) {
			want := `<rpc-reply xmlns="` + netconf.NamespaceBase + `"` + test.reply + `><ok/></rpc-reply>`
			_, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
				f.write(want)
				return ""
			})
			a := open(t, d)
			if err := a.Send(message(`<rpc xmlns="` + netconf.NamespaceBase + `" ` + test.rpc + `><get/></rpc>`)); err != nil {
				t.Fatal(err)
			}
			if got, err := a.read(); err != nil || got != want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

// A device may answer a request before it has read all of it.
func TestAnEarlyReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, d := newFake(t, Options{}, all, sayOK)
		a, b := open(t, d), open(t, d)
		m := message(rpc(1, "<get/>"))
		early := &earlyBody{Reader: m.Body.(*strings.Reader), rest: make(chan struct{})}
		m.Body = early
		sent := make(chan error, 1)
		go func() { sent <- a.Send(m) }()
		synctest.Wait()
		turn := d.current
		go d.reply(&netconf.Message{Head: netconf.Head{Kind: netconf.KindReply}, Size: -1, Body: strings.NewReader("<early/>")})
		if got, err := a.read(); err != nil || got != "<early/>" {
			t.Errorf("got %s, %v", got, err)
		}
		waiting := b.send("<get/>")
		synctest.Wait()
		if d.current != turn {
			t.Error("another rpc begins within one that is not written yet")
		}
		d.mu.Lock()
		d.current.answered = false // the fake device answers as well
		d.mu.Unlock()
		close(early.rest)
		if _, err := a.read(); err != nil {
			t.Error(err)
		}
		if _, err := b.read(); err != nil {
			t.Error(err)
		}
		if err := errors.Join(<-sent, <-waiting); err != nil {
			t.Error(err)
		}
	})
}

// earlyBody comes to its end when rest is closed.
type earlyBody struct {
	*strings.Reader
	rest chan struct{}
}

func (b *earlyBody) Read(p []byte) (int, error) {
	if b.Reader.Len() <= len("</rpc>") {
		<-b.rest
	} else {
		p = p[:min(len(p), b.Reader.Len()-len("</rpc>"))]
	}
	return b.Reader.Read(p)
}

func TestASilentDeviceIsGivenUpWhenNobodyIsLeftToDoIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{Patience: time.Minute}, all, func(f *fakeDevice, r request) string {
			<-f.ending
			return ""
		})
		a, b := open(t, d), open(t, d)
		if err := <-a.send("<get/>"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if f.why() != nil {
			t.Fatalf("the link ended: %v", f.why())
		}
		_ = a.Close()
		waiting := b.send("<get/>")
		time.Sleep(59 * time.Second)
		if f.why() != nil {
			t.Fatalf("the link ended: %v", f.why())
		}
		time.Sleep(2 * time.Second)
		if !errors.Is(f.why(), errSilent) {
			t.Errorf("the link ended: %v", f.why())
		}
		if err := <-waiting; !errors.Is(err, ErrEnding) {
			t.Error(err)
		}
	})
}

// A device that sends slowly what nobody wants any more is not silent.
func TestASlowReplyIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{Patience: time.Minute}, all, sayOK)
		f.script = func(f *fakeDevice, r request) string {
			if r.Op.Local != "get" {
				return ok
			}
			_ = f.server.Write(&netconf.Message{Size: -1, Body: &slowBody{"<rpc-reply" + r.Attributes + "><data>", 100, "</data></rpc-reply>"}})
			return ""
		}
		a, b := open(t, d), open(t, d)
		if err := <-a.send("<get/>"); err != nil {
			t.Fatal(err)
		}
		m, err := a.Next()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Body.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		_ = a.Close()
		begin := time.Now()
		b.want("<lock><target><running/></target></lock>", ok)
		if d := time.Since(begin); d < 40*time.Minute {
			t.Errorf("the reply was drained in %v", d)
		}
	})
}

// Nor is one that takes a request slowly.
func TestASlowRequestIsSentToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{Patience: time.Minute}, all, sayOK)
		a, b := open(t, d), open(t, d)
		m := message(rpc(1, "<get></get>"))
		m.Size, m.Body = -1, &slowBody{startOfRPC + `1"><get>`, 100, "</get></rpc>"}
		sent := make(chan error, 1)
		go func() { sent <- a.Send(m) }()
		synctest.Wait()
		_ = a.Close()
		b.want("<get/>", ok)
		if err := <-sent; err != nil || f.why() != nil {
			t.Errorf("%v; the link ended: %v", err, f.why())
		}
	})
}

// slowBody is a document of which a piece comes every half minute.
type slowBody struct {
	next   string
	pieces int
	end    string
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.next == "" {
		if b.pieces == 0 {
			return 0, io.EOF
		}
		time.Sleep(30 * time.Second)
		b.next = "<x/>"
		if b.pieces--; b.pieces == 0 {
			b.next = b.end
		}
	}
	n := copy(p, b.next)
	b.next = b.next[n:]
	return n, nil
}
