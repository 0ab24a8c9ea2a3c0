package devicesim

import (
	"errors"
	"io"
	"strings"
	"testing"

	"callhome-gateway/internal/netconf"
)

func flawed(f Flaw) string { return `<flawed` + simXMLNS + `><flaw>` + string(f) + `</flaw></flawed>` }

func TestFlaws(t *testing.T) {
	tests := []struct {
		flaw Flaw
		want []string // parts of the messages that come; an rpc with id 2 follows
	}{
		{FlawTwice, []string{`message-id="1"`, `message-id="1"`, `message-id="2"`}},
		{FlawWrongID, []string{`message-id="1-wrong"`, `message-id="2"`}},
		{FlawNoID, []string{`<rpc-reply xmlns="` + netconf.NamespaceBase + `">`, `message-id="2"`}},
		{FlawUnsolicited, []string{`message-id="unsolicited"`, `message-id="1"`, `message-id="2"`}},
		{FlawNever, []string{`message-id="2"`}},
		{FlawSwapped, []string{`message-id="2"`, `message-id="1"`}},
		{FlawOtherRoot, []string{`<other `, `message-id="2"`}},
		{FlawHugeTag, []string{strings.Repeat("x", hugeTag) + `" xmlns="` + netconf.NamespaceBase + `" message-id="1">`, `message-id="2"`}},
		{FlawMalformed, []string{`</wrong>`, `message-id="2"`}},
	}
	for _, tt := range tests {
		t.Run(string(tt.flaw), func(t *testing.T) {
			_, _, c := connect(t, nil)
			c.send(flawed(tt.flaw))
			c.send(`<get/>`)
			for _, want := range tt.want {
				if got := c.read(); !strings.Contains(got, want) {
					t.Errorf("%.60q is missing in %.300q", want, got)
				}
			}
			c.ok(`<close-session/>`)
		})
	}
}

func TestFlawClosed(t *testing.T) {
	_, ssh, c := connect(t, nil)
	c.send(flawed(FlawClosed))
	if _, err := c.Next(); err != io.EOF {
		t.Errorf("got %v", err)
	}
	open(t, ssh)
}

func TestFlawHalf(t *testing.T) {
	d, c := connectTLS(t, nil)
	c.send(flawed(FlawHalf))
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 10)
	if _, err := io.ReadFull(m.Body, first); err != nil {
		t.Fatal(err)
	}
	c.send(`<get/>`) // is not even read as one
	d.Drop()
	if _, err := io.Copy(io.Discard, m.Body); err == nil {
		t.Error("the other half came")
	}
}

func TestUnknownFlaw(t *testing.T) {
	_, _, c := connect(t, nil)
	c.fails(flawed("x"), "bad-element")
}

// TestFlawHook lets a test choose by the head of the rpc.
func TestFlawHook(t *testing.T) {
	_, _, c := connect(t, func(o *Options) {
		o.Flaw = func(session uint32, rpc netconf.Head) Flaw {
			if session == 1 && rpc.Op.Local == "lock" && rpc.Target == running {
				return FlawNever
			}
			return FlawNone
		}
	})
	c.send(`<lock><target><running/></target></lock>`)
	c.ok(`<unlock><target><running/></target></unlock>`) // the lock was granted
}

func TestSend(t *testing.T) {
	d, _, c := connect(t, nil)
	c.ok(`<lock><target><running/></target></lock>`) // it knows that the session is up
	if err := d.Send(c.hello.SessionID, `<surprise/>`); err != nil {
		t.Fatal(err)
	}
	contains(t, c.read(), `<surprise/>`)
	if d.Send(99, `<surprise/>`) == nil {
		t.Error("a session that is not there was sent something")
	}
	if err := d.Send(c.hello.SessionID, ``); !errors.Is(err, netconf.ErrEmpty) {
		t.Errorf("an empty message: %v", err)
	}
}
