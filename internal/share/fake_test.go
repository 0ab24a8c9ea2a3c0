package share

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/internal/netconf"
)

// fakeDevice is a NETCONF server at the other end of a pipe, and the link to
// it. It answers an rpc with what its script says.
type fakeDevice struct {
	t      *testing.T
	hello  *netconf.Hello
	conn   *netconf.Conn // the gateway's end
	server *netconf.Conn
	script func(*fakeDevice, request) string
	work   sync.WaitGroup
	ending chan struct{}

	mu     sync.Mutex
	seen   []request
	reason error // why the link ended
}

// request is an rpc that the device has received.
type request struct {
	netconf.Head
	doc string
}

// all are capabilities of a device that has everything.
var all = []string{
	netconf.CapabilityBase10, netconf.CapabilityBase11, capCandidate, capConfirmed11, capNotification, capInterleave,
}

func without(capabilities []string, not ...string) []string {
	var left []string
	for _, c := range capabilities {
		if !strings.Contains(strings.Join(not, " "), c) {
			left = append(left, c)
		}
	}
	return left
}

const ok = "<ok/>"

func sayOK(*fakeDevice, request) string { return ok }

// newFake returns a device, and the sharing of it.
func newFake(t *testing.T, o Options, capabilities []string, script func(*fakeDevice, request) string) (*fakeDevice, *Device) {
	near, far := net.Pipe()
	f := &fakeDevice{
		t: t, conn: netconf.NewConn(near), server: netconf.NewConn(far), script: script,
		hello: &netconf.Hello{Capabilities: capabilities, SessionID: 4}, ending: make(chan struct{}),
	}
	f.hello.Raw = f.hello.Document()
	f.conn.SetFraming(f.Framing())
	f.server.SetFraming(f.Framing())
	f.work.Go(f.serve)
	d := New(f.connect, o)
	t.Cleanup(func() {
		f.End(errors.New("the test is over"))
		f.work.Wait()
	})
	return f, d
}

func (f *fakeDevice) connect(handle func(*netconf.Message)) Trunk {
	f.work.Go(func() {
		for {
			m, err := f.conn.Next()
			if err != nil {
				f.End(err)
				return
			}
			handle(m)
		}
	})
	return f
}

func (f *fakeDevice) Hello() *netconf.Hello { return f.hello }

func (f *fakeDevice) Framing() netconf.Framing {
	if f.hello.Has(netconf.CapabilityBase11) {
		return netconf.Chunked
	}
	return netconf.EndOfMessage
}

func (f *fakeDevice) Send(m *netconf.Message) error { return f.conn.Write(m) }

func (f *fakeDevice) Go(run func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reason != nil {
		return false
	}
	f.work.Go(run)
	return true
}

func (f *fakeDevice) Ending() <-chan struct{} { return f.ending }

func (f *fakeDevice) End(reason error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reason == nil {
		f.reason = reason
		close(f.ending)
		_ = f.conn.Close()
		_ = f.server.Close()
	}
}

// why returns why the link has ended, or nil.
func (f *fakeDevice) why() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

// serve answers one rpc after the other.
func (f *fakeDevice) serve() {
	for {
		m, err := f.server.Next()
		if err != nil {
			return
		}
		doc, err := io.ReadAll(m.Body)
		if err != nil {
			return
		}
		head, err := parseHead(string(doc))
		if err != nil {
			f.t.Errorf("the device received %q: %v", doc, err)
		}
		r := request{head, string(doc)}
		f.mu.Lock()
		f.seen = append(f.seen, r)
		f.mu.Unlock()
		if content := f.script(f, r); content != "" {
			f.write(replyTo(r, content))
		}
	}
}

func (f *fakeDevice) write(doc string) { _ = f.server.WriteDocument([]byte(doc)) }

// replyTo returns a reply that repeats the rpc's attributes byte for byte.
func replyTo(r request, content string) string {
	before, _, _ := strings.Cut(r.doc, "rpc"+r.Attributes)
	name := before[strings.LastIndex(before, "<")+1:] + "rpc-reply"
	return "<" + name + r.Attributes + ">" + content + "</" + name + ">"
}

// received returns the operations that the device has received, with their
// targets.
func (f *fakeDevice) received() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, r := range f.seen {
		all = append(all, strings.TrimSpace(r.Op.Local+" "+r.Target))
	}
	return all
}

func parseHead(doc string) (netconf.Head, error) {
	c := netconf.NewChecker()
	_, _ = c.Write([]byte(doc))
	return c.Finish()
}

// fakeManager uses a session as the gateway does: one goroutine sends, one
// receives.
type fakeManager struct {
	*Session
	t     *testing.T
	inbox chan *loan
	last  *loan
	ended chan struct{} // closed when Receive has returned
	err   error         // then
}

func open(t *testing.T, d *Device) *fakeManager {
	t.Helper()
	s, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return manage(t, s)
}

func manage(t *testing.T, s *Session) *fakeManager {
	m := &fakeManager{Session: s, t: t, inbox: make(chan *loan), ended: make(chan struct{})}
	go func() {
		m.err = s.Receive(m.take)
		close(m.ended)
	}()
	return m
}

// take waits until the message is read, or is not wanted any more.
func (m *fakeManager) take(got *netconf.Message) error {
	l := &loan{Message: *got, body: got.Body, done: make(chan struct{})}
	l.Body = l
	defer l.giveBack()
	select {
	case m.inbox <- l:
		return m.await(l.done)
	case <-m.gone.Done():
	case <-m.ending:
	}
	return net.ErrClosed
}

// Next returns the next message. Its Body is valid until the call after it.
func (m *fakeManager) Next() (*netconf.Message, error) {
	if m.last != nil {
		m.last.giveBack()
	}
	select {
	case m.last = <-m.inbox:
		return &m.last.Message, nil
	case <-m.ended:
		return nil, m.err
	}
}

// loan is a message that one goroutine reads while another waits for that.
type loan struct {
	netconf.Message
	done chan struct{}

	mu   sync.Mutex // guards body
	body io.Reader  // nil once it is given back
}

func (l *loan) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.body == nil {
		return 0, net.ErrClosed
	}
	n, err := l.body.Read(p)
	if err != nil {
		l.closeLocked()
	}
	return n, err
}

func (l *loan) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked()
}

func (l *loan) closeLocked() {
	if l.body != nil {
		l.body = nil
		close(l.done)
	}
}

func message(doc string) *netconf.Message {
	head, err := parseHead(doc)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", doc, err))
	}
	return &netconf.Message{Head: head, Size: int64(len(doc)), Body: strings.NewReader(doc)}
}

const startOfRPC = `<rpc xmlns="` + netconf.NamespaceBase + `" message-id="`

func rpc(id int, content string) string {
	return fmt.Sprintf(startOfRPC+`%d">%s</rpc>`, id, content)
}

// send sends what stands in an rpc, on a goroutine.
func (m *fakeManager) send(content string) <-chan error {
	sent := make(chan error, 1)
	go func() { sent <- m.Send(message(rpc(1, content))) }()
	return sent
}

// read returns the next message.
func (m *fakeManager) read() (string, error) {
	got, err := m.Next()
	if err != nil {
		return "", err
	}
	doc, err := io.ReadAll(got.Body)
	if got.Size >= 0 && err == nil && int64(len(doc)) != got.Size {
		m.t.Errorf("size %d of %q", got.Size, doc)
	}
	return string(doc), err
}

// do sends an rpc and returns what the reply says.
func (m *fakeManager) do(content string) string {
	m.t.Helper()
	sent := m.send(content)
	doc, err := m.read()
	if err == nil {
		err = <-sent
	}
	if err != nil {
		m.t.Fatalf("%s: %v", content, err)
	}
	if h, err := parseHead(doc); err != nil || h.ID != "1" || h.Kind != netconf.KindReply {
		m.t.Errorf("%s was answered with %s, %v", content, doc, err)
	}
	return inner(doc)
}

// want does an rpc and asserts that the reply has that text in it.
func (m *fakeManager) want(content, reply string) {
	m.t.Helper()
	if got := m.do(content); !strings.Contains(got, reply) {
		m.t.Errorf("session %d, %s: got %s, want %s", m.id, content, got, reply)
	}
}

func inner(doc string) string {
	_, doc, _ = strings.Cut(doc, "<rpc-reply")
	_, doc, _ = strings.Cut(doc, ">")
	return doc[:max(0, strings.LastIndex(doc, "</"))]
}
