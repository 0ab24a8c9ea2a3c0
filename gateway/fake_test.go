package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"
	"callhome-gateway/internal/share"
	"callhome-gateway/internal/testport"
)

// duplex is one end of a connection in memory whose directions close one by
// one. Nothing is buffered: a write waits for its reader.
type duplex struct {
	*io.PipeReader
	*io.PipeWriter
}

func newDuplex() (a, b duplex) {
	ra, wb := io.Pipe()
	rb, wa := io.Pipe()
	return duplex{ra, wa}, duplex{rb, wb}
}

func (d duplex) CloseWrite() error { return d.PipeWriter.Close() }

func (d duplex) Close() error {
	d.PipeReader.Close()
	return d.PipeWriter.Close()
}

// pipeSession is a session with a device that is the other end of a duplex.
type pipeSession struct {
	hello   *netconf.Hello
	framing netconf.Framing
	conn    *netconf.Conn
	wire    duplex
}

func (s *pipeSession) Hello() *netconf.Hello         { return s.hello }
func (s *pipeSession) Framing() netconf.Framing      { return s.framing }
func (s *pipeSession) Send(m *netconf.Message) error { return s.conn.Write(m) }
func (s *pipeSession) Receive(take func(*netconf.Message) error) error {
	return receiveFrom(s.conn.Next, take)
}
func (s *pipeSession) CloseSend() error { return s.wire.CloseWrite() }
func (s *pipeSession) Close() error     { return s.wire.Close() }

// newPipeSession returns a session, hellos exchanged, and the device's end.
func newPipeSession(id uint32, framing netconf.Framing) (*pipeSession, *netconf.Conn) {
	near, far := newDuplex()
	s := &pipeSession{hello: deviceHello(id, framing), framing: framing, conn: netconf.NewConn(near), wire: near}
	s.conn.SetFraming(framing)
	device := netconf.NewConn(far)
	device.SetFraming(framing)
	return s, device
}

func deviceHello(id uint32, framing netconf.Framing) *netconf.Hello {
	base := netconf.CapabilityBase10
	if framing == netconf.Chunked {
		base = netconf.CapabilityBase11
	}
	h := &netconf.Hello{SessionID: id, Capabilities: []string{base, "urn:example:device"}}
	h.Raw = h.Document()
	return h
}

// fakeLink is a device's connection over SSH, unless it is said to be over
// TLS. It has control session 1.
type fakeLink struct {
	epoch uint64
	over  callhome.Transport
	done  chan struct{}
	err   error
	// opens makes a session; nil refuses it.
	opens func(ctx context.Context, id uint32) (session, error)
	// controls is the device's end of the control session.
	controls func(device *netconf.Conn)

	mu   sync.Mutex
	last uint32
	all  []session
	// control is the gateway's own session, once it was handed over.
	control *fakeTrunk
}

func newFakeLink(epoch uint64, opens func(context.Context, uint32) (session, error)) *fakeLink {
	return &fakeLink{
		epoch: epoch, done: make(chan struct{}), opens: opens, last: 1,
		controls: func(device *netconf.Conn) { echo(device, "control", 1) },
	}
}

func (l *fakeLink) Epoch() uint64         { return l.epoch }
func (l *fakeLink) Done() <-chan struct{} { return l.done }
func (l *fakeLink) hello() *netconf.Hello { return deviceHello(1, netconf.Chunked) }

func (l *fakeLink) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *fakeLink) CloseFor(reason error) error {
	l.breaks(reason)
	return nil
}

func (l *fakeLink) transport() callhome.Transport { return cmp.Or(l.over, callhome.SSH) }

func (l *fakeLink) open(ctx context.Context) (session, error) {
	l.mu.Lock()
	l.last++
	id := l.last
	l.mu.Unlock()
	s, err := l.opens(ctx, id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.all = append(l.all, s)
	}
	return s, err
}

// breaks ends the link as the network does, once: its sessions end with it.
func (l *fakeLink) breaks(err error) {
	l.mu.Lock()
	broken := l.err != nil
	if !broken {
		l.err = err
	}
	all, control := l.all, l.control
	l.mu.Unlock()
	if broken {
		return
	}
	for _, s := range all {
		s.Close()
	}
	control.ends()
	close(l.done)
}

func (l *fakeLink) trunk(handle func(*netconf.Message)) share.Trunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.control != nil {
		panic("the control session is handed over twice")
	}
	l.control = newFakeTrunk(l, handle)
	return l.control
}

// fakeTrunk is a control session.
type fakeTrunk struct {
	*pipeSession
	link   *fakeLink
	ending chan struct{}

	mu      sync.Mutex // held while running is added to
	ended   bool
	running sync.WaitGroup
}

func newFakeTrunk(l *fakeLink, handle func(*netconf.Message)) *fakeTrunk {
	s, device := newPipeSession(1, netconf.Chunked)
	t := &fakeTrunk{pipeSession: s, link: l, ending: make(chan struct{})}
	t.running.Go(func() { l.controls(device) })
	t.running.Go(func() {
		_ = s.Receive(func(m *netconf.Message) error {
			handle(m)
			return nil
		})
	})
	return t
}

func (t *fakeTrunk) Go(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.running.Go(f)
	}
	return !t.ended
}

func (t *fakeTrunk) Ending() <-chan struct{} { return t.ending }

func (t *fakeTrunk) End(err error) { go t.link.breaks(err) }

func (t *fakeTrunk) ends() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	close(t.ending)
	t.Close()
	t.running.Wait()
}

// echoLink is the link of a device that answers every rpc with ok, and with
// its session-id and its name, so that a test sees whom it talks to.
func echoLink(t *testing.T, name string, epoch uint64) *fakeLink {
	var devices sync.WaitGroup
	l := newFakeLink(epoch, func(_ context.Context, id uint32) (session, error) {
		s, device := newPipeSession(id, netconf.Chunked)
		devices.Go(func() { echo(device, name, id) })
		return s, nil
	})
	t.Cleanup(func() {
		l.breaks(errors.New("the test is over"))
		devices.Wait()
	})
	return l
}

// bulkyLink is the link of a device that answers every rpc with as many bytes
// as size says for the session.
func bulkyLink(t *testing.T, size func(id uint32) int) *fakeLink {
	l := newFakeLink(1, func(_ context.Context, id uint32) (session, error) {
		s, device := newPipeSession(id, netconf.Chunked)
		go func() {
			defer device.Close()
			for {
				if _, err := tryRead(device); err != nil {
					return
				}
				if device.WriteDocument([]byte(reply(1, strings.Repeat("x", size(id))))) != nil {
					return
				}
			}
		}()
		return s, nil
	})
	t.Cleanup(func() { l.breaks(errReset) })
	return l
}

func echo(device *netconf.Conn, name string, id uint32) {
	defer device.Close()
	for {
		m, err := device.Next()
		if err != nil {
			return
		}
		doc, err := io.ReadAll(m.Body)
		if err != nil {
			return
		}
		reply := fmt.Sprintf(`<rpc-reply xmlns="%s" message-id="%s"><device>%s</device><session>%d</session><ok/></rpc-reply>`,
			netconf.NamespaceBase, m.Head.ID, name, id)
		if err := device.WriteDocument([]byte(reply)); err != nil || strings.Contains(string(doc), "<close-session/>") {
			return
		}
	}
}

func rpc(id int, operation string) string {
	return fmt.Sprintf(`<rpc xmlns="%s" message-id="%d">%s</rpc>`, netconf.NamespaceBase, id, operation)
}

func reply(id int, content string) string {
	return fmt.Sprintf(`<rpc-reply xmlns="%s" message-id="%d">%s</rpc-reply>`, netconf.NamespaceBase, id, content)
}

// write sends a document, or fails the test.
func write(t testing.TB, c *netconf.Conn, doc string) {
	t.Helper()
	if err := c.WriteDocument([]byte(doc)); err != nil {
		t.Fatalf("writing %.60q: %v", doc, err)
	}
}

// read returns the next document, or fails the test.
func read(t testing.TB, c *netconf.Conn) string {
	t.Helper()
	doc, err := tryRead(c)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return doc
}

func tryRead(c *netconf.Conn) (string, error) {
	m, err := c.Next()
	if err != nil {
		return "", err
	}
	return tryRest(m)
}

func tryRest(m *netconf.Message) (string, error) {
	doc, err := io.ReadAll(m.Body)
	return string(doc), err
}

// testPorts are below those of internal/daemon, whose tests run at the same time.
var testPorts = testport.New(10000, 5000)

func freePort(t testing.TB) uint16 {
	t.Helper()
	return testPorts.Free(t)
}
