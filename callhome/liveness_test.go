package callhome_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/netconf"
)

func TestIdleControlSessionSendsAnRPC(t *testing.T) {
	o := known(t)
	o.KeepaliveInterval, o.IdleRPC = 10*time.Millisecond, 30*time.Millisecond
	s := start(t, o)
	requests := make(chan string, 100)
	device(t, s, devicesim.Options{OnMessage: func(_ uint32, doc []byte) { requests <- string(doc) }})
	s.want(t, callhome.Accepted)
	for range 2 {
		if got := receive(t, requests, "request on the control session"); !strings.Contains(got, "<get-config>") {
			t.Errorf("the control session sent %s", got)
		}
	}
}

func TestDeviceThatAcknowledgesButDoesNotAnswerKeepsItsLink(t *testing.T) {
	t.Parallel()
	o := known(t)
	// Many times what Linux delays an acknowledgement by (200 ms at most).
	o.KeepaliveInterval, o.DeadAfter = 100*time.Millisecond, time.Second
	s := start(t, o)
	device(t, s, devicesim.Options{IgnoreGlobalRequests: true})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	select {
	case <-link.Done():
		t.Errorf("the link ended: %v", link.Err())
	case <-time.After(4 * time.Second): // four times DeadAfter: nothing must happen
	}
	if !link.Probe(t.Context()) {
		t.Error("the probe takes the device for dead")
	}
}

func TestReplyLivenessEndsALinkWithoutReplies(t *testing.T) {
	o := known(t)
	o.KeepaliveInterval, o.DeadAfter, o.ReplyLiveness = 10*time.Millisecond, 100*time.Millisecond, true
	s := start(t, o)
	device(t, s, devicesim.Options{IgnoreGlobalRequests: true})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	receive(t, link.Done(), "end of the link")
	if err := link.Err(); err == nil || !strings.Contains(err.Error(), "answered nothing") {
		t.Errorf("the link ended with %v", err)
	}
}

func TestLinkEndsWithItsControlSession(t *testing.T) {
	s := start(t, known(t))
	device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	session, err := link.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The answer may get lost: the link ends at the same moment.
	send(t, session, fmt.Sprintf(`<rpc xmlns="%s" message-id="9"><kill-session><session-id>%d</session-id></kill-session></rpc>`,
		netconf.NamespaceBase, link.Control().Hello().SessionID))
	receive(t, link.Done(), "end of the link")
	if link.Err() == nil {
		t.Error("the link does not tell why it ended")
	}
}

func TestDeviceThatRefusesFurtherSessions(t *testing.T) {
	s := start(t, known(t))
	device(t, s, devicesim.Options{MaxSessions: 1})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	_, err := link.Open(t.Context())
	if err == nil || !strings.Contains(err.Error(), "allows no further session") {
		t.Errorf("error %v", err)
	}
	select {
	case <-link.Done():
		t.Errorf("the link ended: %v", link.Err())
	default:
	}
}

// A busy device stops reading; its TCP goes on acknowledging window probes.
func TestDeviceThatTakesNoDataKeepsItsLink(t *testing.T) {
	o := known(t)
	o.KeepaliveInterval, o.DeadAfter = 100*time.Millisecond, 600*time.Millisecond
	s := start(t, o)
	d := device(t, s, devicesim.Options{MaxMessage: 1 << 30})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	var sessions []*callhome.Session
	for range 6 {
		session, err := link.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, session)
	}
	d.Freeze()
	defer d.Thaw()
	for _, session := range sessions {
		// More than all buffers on the way hold; it ends with the link.
		run(t, func(context.Context) error {
			_ = session.Send(&callhome.Message{Size: -1, Body: strings.NewReader(strings.Repeat("x", 8<<20))})
			return nil
		})
	}
	t.Cleanup(func() { _ = link.Close() })
	select {
	case <-link.Done():
		t.Fatalf("the link ended: %v", link.Err())
	case <-time.After(4 * time.Second): // several times DeadAfter
	}
	if !link.Probe(t.Context()) {
		t.Error("the probe takes the device for dead")
	}
}

func TestOpensOfABusyDeviceDoNotPileUp(t *testing.T) {
	s := start(t, known(t))
	d := device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	d.Freeze()
	before := runtime.NumGoroutine()
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if _, err := link.Open(ctx); err == nil {
			t.Error("a frozen device opened a session")
		}
		cancel()
	}
	if grown := runtime.NumGoroutine() - before; grown > 20 {
		t.Errorf("%d goroutines wait for the device", grown)
	}
	d.Thaw()
	if _, err := link.Open(t.Context()); err != nil {
		t.Errorf("after the device is back: %v", err)
	}
}

func TestProbeByReply(t *testing.T) {
	o := known(t)
	o.ReplyLiveness = true
	s := start(t, o)
	d := device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	if !link.Probe(t.Context()) {
		t.Error("a healthy device is taken for dead")
	}
	d.Freeze()
	if link.Probe(t.Context()) {
		t.Error("TCP's acknowledgement counts although liveness is by reply")
	}
	d.Thaw()
}
