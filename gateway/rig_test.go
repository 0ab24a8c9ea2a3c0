package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callhome-gateway/internal/netconf"
)

// rig is a relay between two ends that the test holds.
type rig struct {
	t       testing.TB
	manager *netconf.Conn
	wire    duplex // of the manager's end
	device  *netconf.Conn
	link    *fakeLink
	relay   *relay
	ended   chan *ending
	cancel  func(*ending)
	allowed *testPolicy
	work    sync.WaitGroup
}

const (
	chunked = netconf.Chunked
	simple  = netconf.EndOfMessage
)

// newRig starts a relay to a device with that framing.
func newRig(t testing.TB, opts Options, device netconf.Framing) *rig {
	t.Helper()
	return newRigWith(t, opts, device, deviceHello(7, device))
}

// newRigWith starts a relay to a device with that framing and hello.
func newRigWith(t testing.TB, opts Options, device netconf.Framing, hello *netconf.Hello) *rig {
	t.Helper()
	opts = opts.withDefaults()
	near, far := newDuplex()
	session, deviceEnd := newPipeSession(7, device)
	session.hello = hello
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &rig{
		t: t, manager: netconf.NewConn(far), wire: far, device: deviceEnd,
		link: newFakeLink(1, nil), allowed: newTestPolicy(), ended: make(chan *ending, 1),
		cancel: func(e *ending) { cancel(e) },
	}
	stream := newStream(near, opts.StallTimeout, func(reason string) { cancel(&ending{reason: reason}) })
	r.relay = newRelay(ctx, r.cancel, &opts, newBudget(opts.SpoolBudget, nil), r.allowed, r.link, session, stream)
	// What the SSH side does when a session ends.
	stop := context.AfterFunc(ctx, func() {
		session.Close()
		near.Close()
	})
	r.relay.tap = new(atomic.Pointer[tap])
	r.relay.recording = record(opts.Recorder, SessionRecord{SessionID: 7}, r.relay.spool.budget)
	go func() {
		r.relay.run()
		r.relay.recording.ends(endingOf(ctx), SessionStatus{})
		r.ended <- endingOf(ctx)
	}()
	t.Cleanup(func() {
		cancel(endedByGateway)
		if r.ended != nil {
			<-r.ended
		}
		stop()
		session.Close()
		near.Close()
		far.Close()
		deviceEnd.Close()
		r.work.Wait()
	})
	return r
}

// open exchanges hellos with a manager of that framing.
func (r *rig) open(manager netconf.Framing) *rig {
	r.t.Helper()
	hello, err := netconf.ReadHello(r.manager.Reader)
	if err != nil {
		r.t.Fatalf("reading the device's hello: %v", err)
	}
	if hello.SessionID != 7 || !hello.Has(netconf.CapabilityBase10) || !hello.Has("urn:example:device") {
		r.t.Fatalf("the device's hello arrived as %s", hello.Raw)
	}
	own := &netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}}
	if manager == chunked {
		own.Capabilities = append(own.Capabilities, netconf.CapabilityBase11)
	}
	write(r.t, r.manager, string(own.Document()))
	framing, err := netconf.CommonFraming(own, hello)
	if err != nil {
		r.t.Fatal(err)
	}
	r.manager.SetFraming(framing)
	return r
}

// end returns why the relay ended.
func (r *rig) end() *ending {
	r.t.Helper()
	select {
	case e := <-r.ended:
		r.ended = nil
		return e
	case <-time.After(20 * time.Second):
		r.t.Fatal("the relay did not end")
		return nil
	}
}

// async runs f beside the test, since a write waits for its reader here.
func (r *rig) async(f func()) (wait func()) {
	done := make(chan struct{})
	r.work.Go(func() {
		defer close(done)
		f()
	})
	return func() { <-done }
}

// send writes documents beside the test: who reads them sees what is missing.
func (r *rig) send(c *netconf.Conn, docs ...string) {
	r.async(func() {
		for _, doc := range docs {
			if c.WriteDocument([]byte(doc)) != nil {
				return
			}
		}
	})
}
