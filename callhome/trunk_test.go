package callhome_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/netconf"
)

// trunked returns the link of a device over each transport, in turn.
func trunked(t *testing.T, change func(*callhome.Options), d devicesim.Options, test func(*testing.T, *callhome.Link)) {
	t.Run("ssh", func(t *testing.T) {
		o := known(t)
		change(&o)
		s := start(t, o)
		device(t, s, d)
		s.want(t, callhome.Accepted)
		test(t, receive(t, s.links, "link"))
	})
	t.Run("tls", func(t *testing.T) {
		f, cert := newFleet(t), callhome.SelfSigned(t, "device")
		o := f.approving(cert)
		change(&o)
		s := startTLS(t, o)
		tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, d)
		s.want(t, callhome.Accepted)
		test(t, receive(t, s.links, "link"))
	})
}

func rpc(id, operation string) *callhome.Message {
	doc := fmt.Sprintf(`<rpc xmlns="%s" message-id="%s">%s</rpc>`, netconf.NamespaceBase, id, operation)
	return &callhome.Message{Head: callhome.Head{Kind: callhome.KindRPC}, Size: int64(len(doc)), Body: strings.NewReader(doc)}
}

const getConfig = `<get-config><source><running/></source></get-config>`

func TestTrunkCarriesMessages(t *testing.T) {
	trunked(t, func(o *callhome.Options) { o.KeepaliveInterval, o.IdleRPC = 5*time.Millisecond, 10*time.Millisecond }, devicesim.Options{},
		func(t *testing.T, link *callhome.Link) {
			replies := make(chan string, 100)
			trunk := link.Trunk(func(m *callhome.Message) {
				if m.Head.ID != "skipped" {
					body, err := io.ReadAll(m.Body)
					if err != nil || !strings.Contains(string(body), "<data") {
						t.Errorf("reply %s, %v", body, err)
					}
				}
				replies <- m.Head.ID
			})
			if trunk.Hello() != link.Control().Hello() || trunk.Framing() != callhome.Chunked {
				t.Errorf("hello %v, framing %v", trunk.Hello(), trunk.Framing())
			}
			for i := range 50 {
				id := fmt.Sprint(i)
				if i%2 == 0 {
					id = "skipped"
				}
				if err := trunk.Send(rpc(id, getConfig)); err != nil {
					t.Fatal(err)
				}
				if got := receive(t, replies, "reply"); got != id {
					t.Fatalf("reply to %q, want %q", got, id)
				}
			}
			if link.Busy() {
				t.Error("the link is busy with nothing outstanding")
			}
			defer func() {
				if recover() == nil {
					t.Error("the control session was handed over twice")
				}
			}()
			link.Trunk(func(*callhome.Message) {})
		})
}

func TestTrunkHandlerThatBlocks(t *testing.T) {
	short := func(o *callhome.Options) {
		o.KeepaliveInterval, o.DeadAfter, o.ReplyLiveness = 10*time.Millisecond, 400*time.Millisecond, true
	}
	trunked(t, short, devicesim.Options{}, func(t *testing.T, link *callhome.Link) {
		entered := make(chan struct{}, 1)
		var trunk *callhome.Trunk
		ready := make(chan struct{})
		trunk = link.Trunk(func(*callhome.Message) {
			<-ready
			entered <- struct{}{}
			<-trunk.Ending()
		})
		close(ready)
		if err := trunk.Send(rpc("1", getConfig)); err != nil {
			t.Fatal(err)
		}
		receive(t, entered, "message")
		if !link.Probe(t.Context()) {
			t.Error("the probe takes the device for dead")
		}
		select {
		case <-link.Done():
			t.Fatalf("the link ended: %v", link.Err())
		case <-time.After(time.Second): // more than twice DeadAfter: nothing must happen
		}
		reason := errors.New("enough")
		ran := make(chan struct{})
		if !trunk.Go(func() { <-trunk.Ending(); close(ran) }) {
			t.Error("Go before the end")
		}
		trunk.End(reason)
		receive(t, link.Done(), "end of the link")
		receive(t, ran, "end of the goroutine")
		if link.Err() != reason {
			t.Errorf("ended with %v", link.Err())
		}
		if trunk.Go(func() {}) {
			t.Error("Go after the end")
		}
		if trunk.Send(rpc("2", getConfig)) == nil {
			t.Error("Send after the end")
		}
	})
}

func TestReplyLivenessOverTLS(t *testing.T) {
	f, cert := newFleet(t), callhome.SelfSigned(t, "device")
	o := f.approving(cert)
	o.KeepaliveInterval, o.DeadAfter, o.ReplyLiveness = 10*time.Millisecond, 400*time.Millisecond, true
	s := startTLS(t, o)
	d := tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	select {
	case <-link.Done():
		t.Fatalf("the link ended: %v", link.Err())
	case <-time.After(time.Second): // more than twice DeadAfter
	}
	d.Freeze()
	defer d.Thaw()
	receive(t, link.Done(), "end of the link")
	if err := link.Err(); !strings.Contains(err.Error(), "answered nothing") {
		t.Errorf("ended with %v", err)
	}
}

func TestTLSDeviceThatOnlyAcknowledgesKeepsItsLink(t *testing.T) {
	f, cert := newFleet(t), callhome.SelfSigned(t, "device")
	o := f.approving(cert)
	o.KeepaliveInterval, o.DeadAfter = 100*time.Millisecond, 1500*time.Millisecond
	s := startTLS(t, o)
	d := tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	d.Freeze()
	defer d.Thaw()
	select {
	case <-link.Done():
		t.Fatalf("the link ended: %v", link.Err())
	case <-time.After(4 * time.Second): // nothing but keepalive probes goes over the connection
	}
	if !link.Probe(t.Context()) {
		t.Error("the probe takes the device for dead")
	}
}
