package tests

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// oneSessionKinds are devices that offer one session, and on which the tests
// tell replies apart by their length. The gateway finds out for itself.
func oneSessionKinds() []deviceKind {
	return append(tlsKinds(),
		deviceKind{"OpenSSH with MaxSessions 1", func(t *testing.T) *harness.Device {
			return harness.NewProcessPerSession(t, harness.NetconfdOptions{MaxSessions: 1})
		}},
		deviceKind{"libnetconf2 that takes one channel", func(t *testing.T) *harness.Device {
			return &harness.NewLibnetconf(t, harness.LibnetconfOptions{OneChannel: true}).Device
		}},
		deviceKind{"libnetconf2, shared", func(t *testing.T) *harness.Device {
			d := &harness.NewLibnetconf(t, harness.LibnetconfOptions{}).Device
			d.Entry = []string{`sessions = "shared"`}
			return d
		}})
}

// startTags are ways to write an rpc's start tag, with the message-id that each
// has, as it is written. NUMBER is replaced.
var startTags = []struct{ tag, id string }{
	{`<rpc xmlns="BASE" message-id="NUMBER">`, `NUMBER`},
	{`<rpc xmlns="BASE" message-id="">`, ``},
	{`<rpc message-id='NUMBER' xmlns='BASE'>`, `NUMBER`},
	{`<rpc xmlns="BASE" message-id='say "NUMBER"'>`, `say "NUMBER"`},
	{`<rpc xmlns="BASE" message-id="it's NUMBER">`, `it's NUMBER`},
	{`<rpc xmlns="BASE" message-id="&lt;&amp;&gt;&quot;&apos;&#65;&#x42;NUMBER">`, `&lt;&amp;&gt;&quot;&apos;&#65;&#x42;NUMBER`},
	{"<rpc\n  xmlns=\"BASE\"\n\tmessage-id=\"NUMBER\"\n>", `NUMBER`},
	{`<rpc xmlns="BASE" message-id = "  NUMBER  ">`, `  NUMBER  `},
	{`<rpc xmlns="BASE" message-id="äöü€𝄞 NUMBER">`, `äöü€𝄞 NUMBER`},
	{`<nc:rpc xmlns:nc="BASE" message-id="NUMBER">`, `NUMBER`},
	{`<rpc xmlns="BASE" xmlns:m="urn:message-id" m:message-id="not this" message-id="NUMBER" m:other="message-id='7'">`, `NUMBER`},
	{`<rpc xmlns="BASE" message-id="` + strings.Repeat("long ", 500) + `NUMBER">`, strings.Repeat("long ", 500) + `NUMBER`},
	{`<!-- message-id="8" --><rpc xmlns="BASE" message-id="NUMBER"><!-- "> -->`, `NUMBER`},
	{`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<rpc xmlns="BASE" message-id="NUMBER">`, `NUMBER`},
}

// request is one RPC and what its reply must be told by.
func request(d *harness.Device, number, size int) (document, id string) {
	form := startTags[number%len(startTags)]
	fill := strings.NewReplacer("BASE", harness.BaseNamespace, "NUMBER", fmt.Sprint(number)).Replace
	end := "</rpc>"
	if strings.Contains(form.tag, "<nc:rpc") {
		end = "</nc:rpc>"
	}
	return fill(form.tag) + d.Blob(size) + end, fill(form.id)
}

var messageID = regexp.MustCompile(`\smessage-id\s*=\s*("[^"]*"|'[^']*')`)

// idOf returns the value of a reply's message-id.
func idOf(t *testing.T, reply string) string {
	t.Helper()
	found := messageID.FindStringSubmatch(reply[:min(len(reply), 8000)])
	if found == nil {
		t.Fatalf("a reply without a message-id: %.300s", reply)
	}
	return html.UnescapeString(found[1][1 : len(found[1])-1])
}

// Replies are told apart by their size: each manager asks for sizes that the
// other does not.
func TestTenThousandRequestsOfEachOfTwoManagersGetTheirOwnReplies(t *testing.T) {
	t.Parallel()
	for _, device := range oneSessionKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			many := 10000
			if l.device.TLS == nil {
				many = 1000
			}
			var managers sync.WaitGroup
			over := harness.ConnectTLS(t, l.edge1TLS(), harness.Base10, harness.Base11)
			for parity, s := range []*harness.Session{over, harness.Connect(t, l.edge1(), harness.Base10).Session} {
				managers.Go(func() { askMany(t, l.device, s, many, parity) })
			}
			managers.Wait()
			l.mustBeTheSameLink(t)
		})
	}
}

// inFlight is how many requests a manager has outstanding.
const inFlight = 32

// askMany sends as many requests, and checks that the replies are those, in order.
func askMany(t *testing.T, d *harness.Device, s *harness.Session, many, parity int) {
	places := make(chan struct{}, inFlight)
	sent := make(chan struct{})
	done := make(chan struct{})
	defer func() { close(done); <-sent }()
	go func() {
		defer close(sent)
		for i := range many {
			select {
			case places <- struct{}{}:
			case <-done:
				return
			}
			document, _ := request(d, i, sizeOf(i, parity))
			if err := s.Send(document); err != nil {
				t.Errorf("sending request %d: %v", i, err)
				return
			}
		}
	}()
	for i := range many {
		reply, err := s.Receive(harness.ReplyTimeout)
		if err != nil {
			t.Errorf("reply %d: %v: %.300s", i, err, reply)
			return
		}
		_, id := request(d, i, 0)
		if got, want := idOf(t, reply), html.UnescapeString(id); got != want {
			t.Errorf("reply %d has the message-id %q, want %q", i, got, want)
			return
		}
		if got, want := textIn(reply), sizeOf(i, parity); got != want {
			t.Errorf("reply %d has %d bytes of text, want %d: %.500s", i, got, want, reply)
			return
		}
		<-places
	}
}

// sizeOf is even for one manager and odd for the other, and seldom twice the same.
func sizeOf(number, parity int) int { return 2*(number%400) + parity }

var blobText = regexp.MustCompile(`<(?:data|blob)[^>]*>([^<]*)</`)

// textIn is the length of the blob in a reply.
func textIn(reply string) int {
	found := blobText.FindStringSubmatch(reply)
	if found == nil {
		return 0 // an empty one may be written as one tag
	}
	return len(found[1])
}

func TestEveryOtherAttributeComesBack(t *testing.T) {
	t.Parallel()
	for _, device := range tlsKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			s := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
			if err := s.Send(`<rpc xmlns="` + harness.BaseNamespace + `" xmlns:v="urn:vendor" v:user="fred &amp; ginger" message-id="1" v:message-id="own">` + soundOperation + `</rpc>`); err != nil {
				t.Fatal(err)
			}
			reply, err := s.Receive(harness.ReplyTimeout)
			if err != nil {
				t.Fatal(err)
			}
			tag := html.UnescapeString(reply[:strings.Index(reply, "data")])
			for _, want := range []string{`="urn:vendor"`, `user="fred & ginger"`, `message-id="1"`, `:message-id="own"`} {
				if !strings.Contains(tag, want) {
					t.Errorf("the reply lacks %s: %s", want, tag)
				}
			}
		})
	}
}

// RFC 6241 section 4.1 requires a message-id; libnetconf2 does not mind.
func TestARequestWithoutAMessageIDGoesWithout(t *testing.T) {
	t.Parallel()
	for _, device := range tlsKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			s := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
			if err := s.Send(`<rpc xmlns="` + harness.BaseNamespace + `">` + soundOperation + `</rpc>`); err != nil {
				t.Fatal(err)
			}
			reply, err := s.Receive(harness.ReplyTimeout)
			if err != nil || !strings.Contains(reply, "rpc-reply") || messageID.MatchString(reply) {
				t.Errorf("%v: %s", err, reply)
			}
			answersWithin(t, s, harness.ReplyTimeout)
			l.mustBeTheSameLink(t)
		})
	}
}

func TestManagersOnOneSessionHaveIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{})
	seen := map[uint32]bool{l.link.SessionID: true}
	for range 20 {
		s := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
		if seen[s.ID] || s.ID == 0 || s.ID > 1<<31-1 {
			t.Errorf("session-id %d", s.ID)
		}
		seen[s.ID] = true
		s.Close() // and the number is not used again soon
	}
}
