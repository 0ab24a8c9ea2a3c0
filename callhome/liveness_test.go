package callhome_test

import (
	"fmt"
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
	o := known(t)
	o.KeepaliveInterval, o.DeadAfter = 10*time.Millisecond, 100*time.Millisecond
	s := start(t, o)
	device(t, s, devicesim.Options{IgnoreGlobalRequests: true})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	select {
	case <-link.Done():
		t.Errorf("the link ended: %v", link.Err())
	case <-time.After(time.Second): // ten times DeadAfter: nothing must happen
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
