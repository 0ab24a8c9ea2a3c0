package share

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"callhome-gateway/internal/netconf"
)

func TestEachManagerSeesItsOwnHello(t *testing.T) {
	_, d := newFake(t, Options{}, append(slices.Clone(all), private[0], "urn:x?a=b"), sayOK)
	a, b := open(t, d), open(t, d)
	for _, m := range []*fakeManager{a, b} {
		h := m.Hello()
		parsed, err := netconf.ParseHello(h.WithBase10())
		if err != nil || parsed.SessionID != m.id || !reserved(m.id) || h.SessionID != m.id {
			t.Errorf("hello %s: %v", h.Document(), err)
		}
		if want := append(slices.Clone(all), "urn:x?a=b"); !slices.Equal(h.Capabilities, want) || !slices.Equal(parsed.Capabilities, want) {
			t.Errorf("capabilities %q", h.Capabilities)
		}
	}
	if a.id == b.id {
		t.Error("two sessions have the same id")
	}
	if a.Framing() != netconf.Chunked {
		t.Error("the framing is not the device's")
	}
}

func TestSessionIDsDoNotComeAgainSoon(t *testing.T) {
	ids := sessionIDs{lastSession - 2}
	taken := func(id uint32) bool { return id == firstSession }
	var got []uint32
	for range 4 {
		got = append(got, ids.next(taken))
	}
	if want := []uint32{lastSession - 1, lastSession, firstSession + 1, firstSession + 2}; !slices.Equal(got, want) {
		t.Errorf("got %d", got)
	}
	if id := newSessionIDs(); !reserved(id.last) {
		t.Errorf("starts at %d", id.last)
	}
}

// exotic are start tags of rpcs, all of which are sound.
var exotic = []string{
	`<rpc xmlns="%s" message-id="101">`,
	`<rpc xmlns="%s" message-id="">`,
	`<rpc xmlns="%s">`,
	`<rpc message-id='single "quotes"' xmlns="%s">`,
	"<rpc\n\txmlns=\"%s\"\n\tmessage-id\n=\n\"new\nline\"\n>",
	`<rpc xmlns="%s" message-id="&lt;&amp;&gt;&quot;&apos;&#9;&#10;&#13;&#x1F600;é">`,
	`<rpc xmlns="%s" xmlns:x="urn:x" x:message-id="no" message-id="yes" x:other='"'>`,
	`<nc:rpc xmlns:nc="%s" message-id="prefix" xmlns="urn:other">`,
	`<?xml version="1.0" encoding="UTF-8"?><!-- <rpc message-id="no"> --><?p message-id="no"?><rpc a="message-id='no'" xmlns="%s" message-id="7">`,
	`<rpc xmlns="%s" message-id="` + strings.Repeat("long &amp; ", 5000) + `">`,
}

func exoticRPC(start, content string) string {
	doc := fmt.Sprintf(start, netconf.NamespaceBase)
	if strings.Contains(doc, "<nc:rpc") {
		return doc + `<get xmlns="` + netconf.NamespaceBase + `">` + content + "</get></nc:rpc>"
	}
	return doc + "<get>" + content + "</get></rpc>"
}

// rootOf returns the attributes of a document's root as encoding/xml sees them.
func rootOf(t *testing.T, doc string) map[xml.Name]string {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(doc)); ; {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%.200s: %v", doc, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			all := make(map[xml.Name]string)
			for _, a := range start.Attr {
				all[a.Name] = a.Value
			}
			return all
		}
	}
}

func TestOnlyTheMessageIDIsReplaced(t *testing.T) {
	f, d := newFake(t, Options{}, all, func(*fakeDevice, request) string { return "<data/>" })
	a := open(t, d)
	for i, start := range exotic {
		doc := exoticRPC(start, "<!-- message-id=\"101\" -->")
		sent := make(chan error, 1)
		go func() { sent <- a.Send(message(doc)) }()
		reply, err := a.read()
		if err := errors.Join(err, <-sent); err != nil {
			t.Fatal(err)
		}
		want, seen := message(doc).Head, f.seen[i]
		if seen.HasID != want.HasID || want.HasID && !d.requests.issued(seen.ID) {
			t.Errorf("%.100s: the device saw id %q", doc, seen.ID)
		}
		if got := io.Reader(message(seen.doc).WithID(want.ID).Body); want.HasID {
			back, _ := io.ReadAll(got)
			again, _ := io.ReadAll(message(doc).WithID(want.ID).Body)
			if string(back) != string(again) {
				t.Errorf("%.100s: the device saw %.200s", doc, seen.doc)
			}
		} else if seen.doc != doc {
			t.Errorf("%s: the device saw %s", doc, seen.doc)
		}
		if got, want := rootOf(t, reply), rootOf(t, doc); len(got) != len(want) {
			t.Errorf("%.100s: the reply is %.200s", doc, reply)
		} else {
			for name, value := range want {
				// XML normalises it, which encoding/xml does not.
				if value = strings.ReplaceAll(value, "new\nline", "new line"); got[name] != value {
					t.Errorf("%.100s: %v came back as %.100q", doc, name, got[name])
				}
			}
		}
	}
}

func TestRepliesReachTheOneWhoAsked(t *testing.T) {
	const each = 10_000
	_, d := newFake(t, Options{}, all, func(_ *fakeDevice, r request) string {
		return "<data>" + r.doc[strings.Index(r.doc, "<number>"):strings.Index(r.doc, "</get>")] + "</data>"
	})
	finished := make(chan error)
	for who := range 2 {
		m := open(t, d)
		number := func(i int) string { return fmt.Sprintf("<number>%d of %d</number>", i, who) }
		document := func(i int) string { return exoticRPC(exotic[(i+who)%(len(exotic)-1)], number(i)) }
		go func() {
			for i := range each {
				if err := m.Send(message(document(i))); err != nil {
					finished <- err
					return
				}
			}
			finished <- nil
		}()
		go func() {
			for i := range each {
				reply, err := m.read()
				if err != nil {
					finished <- err
					return
				}
				got, err := parseHead(reply)
				if want := message(document(i)).Head; err != nil || got.ID != want.ID || got.HasID != want.HasID || !strings.Contains(reply, number(i)) {
					finished <- fmt.Errorf("rpc %s was answered with %s, %v", document(i), reply, err)
					return
				}
			}
			finished <- nil
		}()
	}
	for range 4 {
		if err := <-finished; err != nil {
			t.Fatal(err)
		}
	}
}

func TestRequestsOfTwoManagersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		f, d := newFake(t, Options{}, all, func(*fakeDevice, request) string {
			<-proceed
			return ok
		})
		for range 2 {
			m := open(t, d)
			go func() {
				for range 3 {
					_ = m.Send(message(fmt.Sprintf(`<rpc xmlns="%s" message-id="1" by="%d"><get/></rpc>`, netconf.NamespaceBase, m.id)))
				}
			}()
			go func() {
				for range 3 {
					_, _ = m.read()
				}
			}()
			synctest.Wait()
		}
		for range 6 {
			proceed <- struct{}{}
		}
		synctest.Wait()
		var order []string
		for _, r := range f.seen {
			_, by, _ := strings.Cut(r.Attributes, "by=")
			order = append(order, by)
		}
		// The first had sent its second before the other came.
		a, b := order[0], order[2]
		if want := []string{a, a, b, a, b, b}; a == b || !slices.Equal(order, want) {
			t.Errorf("the device saw requests of %s", order)
		}
	})
}

func TestCloseSessionEndsOneManagerAfterItsReplies(t *testing.T) {
	f, d := newFake(t, Options{}, all, sayOK)
	a, b := open(t, d), open(t, d)
	a.want("<lock><target><running/></target></lock>", ok)
	a.want("<close-session/>", ok)
	if _, err := a.Next(); err != io.EOF {
		t.Errorf("behind the reply to close-session: %v", err)
	}
	if err := <-a.send("<get/>"); !errors.Is(err, errOver) {
		t.Errorf("an rpc behind close-session: %v", err)
	}
	b.want("<lock><target><running/></target></lock>", ok)
	if got := f.received(); !slices.Equal(got, []string{"lock running", "unlock running", "lock running"}) {
		t.Errorf("the device received %q", got)
	}
}

func TestKillSession(t *testing.T) {
	f, d := newFake(t, Options{}, all, sayOK)
	a, b, c := open(t, d), open(t, d), open(t, d)
	kill := func(id any) string {
		return fmt.Sprintf("<kill-session><session-id>%v</session-id></kill-session>", id)
	}
	a.want(kill(a.id), "invalid-value")
	a.want(kill(c.id+1), "invalid-value")
	a.want(kill(d.own), "access-denied")
	a.want(kill("07"), "invalid-value")
	a.want("<kill-session/>", "invalid-value")
	a.want(kill(77), ok)
	b.want("<lock><target><running/></target></lock>", ok)
	a.want(kill(b.id), ok)
	// What it had is gone before the answer.
	if got := f.received(); !slices.Equal(got, []string{"kill-session", "lock running", "unlock running"}) {
		t.Errorf("the device received %q", got)
	}
	if _, err := b.Next(); !errors.Is(err, ErrKilled) || !strings.Contains(err.Error(), fmt.Sprint(a.id)) {
		t.Errorf("the session that was killed: %v", err)
	}
	if err := <-b.send("<get/>"); !errors.Is(err, ErrKilled) {
		t.Errorf("the session that was killed sends: %v", err)
	}
	a.want(kill(b.id), "invalid-value")
	c.want("<get/>", ok)
}

func TestUnsharableOperationsDoNotReachTheDevice(t *testing.T) {
	f, d := newFake(t, Options{}, all, sayOK)
	a := open(t, d)
	a.want(`<partial-lock xmlns="urn:ietf:params:xml:ns:netconf:partial-lock:1.0"/>`, "operation-not-supported")
	a.want(`<commit><persist-id>x</persist-id><persist-id>y</persist-id></commit>`, "operation-failed")
	a.want(`<commit><confirmed xmlns="urn:x"/></commit>`, "operation-failed")
	a.want(`<commit><persist>`+strings.Repeat("x", 70_000)+`</persist></commit>`, "too-big")
	a.want("<get/><commit/>", "operation-failed")
	a.want("<copy-config><target><running/></target><source><config>"+strings.Repeat("<a/>", 70_000)+"</config></source></copy-config>", ok)
	if got := f.received(); !slices.Equal(got, []string{"copy-config running"}) {
		t.Errorf("the device received %q", got)
	}
	if f.seen[0].doc != strings.Replace(rpc(1, f.seen[0].doc[strings.Index(f.seen[0].doc, "<copy"):len(f.seen[0].doc)-len("</rpc>")]), `"1"`, `"`+f.seen[0].ID+`"`, 1) {
		t.Error("the device received something else than was sent")
	}
}

func TestAttributesThatNoReplyCanCarryAreRefused(t *testing.T) {
	f, d := newFake(t, Options{}, all, sayOK)
	a := open(t, d)
	sent := make(chan error, 1)
	go func() {
		sent <- a.Send(message(`<rpc message-id="1" xmlns="` + netconf.NamespaceBase + `" a="` + strings.Repeat("x", 4<<10) + `"><get/></rpc>`))
	}()
	if reply, err := a.read(); err != nil || !strings.Contains(reply, "too-big") || <-sent != nil {
		t.Errorf("got %s, %v", reply, err)
	}
	a.want("<get/>", ok)
	if len(f.seen) != 1 {
		t.Errorf("the device received %q", f.received())
	}
}

func TestHalfCloseWaitsForTheReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		_, d := newFake(t, Options{}, all, func(*fakeDevice, request) string {
			<-proceed
			return ok
		})
		a := open(t, d)
		if err := <-a.send("<get/>"); err != nil {
			t.Fatal(err)
		}
		_ = a.CloseSend()
		close(proceed)
		if reply, err := a.read(); err != nil || inner(reply) != ok {
			t.Errorf("got %s, %v", reply, err)
		}
		if _, err := a.Next(); err != io.EOF {
			t.Errorf("behind the last reply: %v", err)
		}
		b := open(t, d)
		_ = b.CloseSend()
		if _, err := b.Next(); err != io.EOF {
			t.Errorf("nothing outstanding: %v", err)
		}
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
			<-f.ending
			return ""
		})
		a, b := open(t, d), open(t, d)
		_ = a.send("<get/>")
		synctest.Wait()
		sent := b.send("<get/>")
		next := make(chan error, 1)
		go func() {
			_, err := b.Next()
			next <- err
		}()
		synctest.Wait()
		_ = b.Close()
		if err := <-sent; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		if err := <-next; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Next: %v", err)
		}
		if len(d.queue) != 0 || len(f.received()) != 1 {
			t.Errorf("%d turns wait; the device received %q", len(d.queue), f.received())
		}
	})
}

func TestTheEndOfTheLinkEndsEverySession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
			<-f.ending
			return ""
		})
		a, b := open(t, d), open(t, d)
		_ = a.send("<get/>")
		synctest.Wait()
		sent := b.send("<get/>")
		synctest.Wait()
		f.End(errors.New("cut"))
		if err := <-sent; !errors.Is(err, ErrEnding) {
			t.Errorf("Send: %v", err)
		}
		if _, err := a.Next(); !errors.Is(err, ErrEnding) {
			t.Errorf("Next: %v", err)
		}
		if _, err := d.Open(); !errors.Is(err, ErrEnding) {
			t.Errorf("Open: %v", err)
		}
		_ = a.Close()
		if d.current == nil || d.current.watch != nil {
			t.Errorf("a timer keeps what has ended: %+v", d.current)
		}
	})
}

func TestExclusive(t *testing.T) {
	f, d := newFake(t, Options{Exclusive: true}, append(without(all, capInterleave), private[0]), sayOK)
	a := open(t, d)
	if h := a.Hello(); !h.Has(private[0]) || !h.Has(capNotification) {
		t.Errorf("hello %q", h.Capabilities)
	}
	if _, err := d.Open(); !errors.Is(err, ErrExclusive) || !strings.Contains(err.Error(), fmt.Sprint(a.id)) {
		t.Errorf("a second manager: %v", err)
	}
	a.want("<lock><target><running/></target></lock>", ok)
	_ = a.Close()
	b := open(t, d)
	b.want("<lock><target><running/></target></lock>", ok)
	b.want(`<create-subscription xmlns="`+spaceNotification+`"/>`, ok)
	_ = b.Close()
	<-f.ending
	if why := f.why(); !errors.Is(why, errEvents) {
		t.Errorf("the link ended: %v", why)
	}
}
