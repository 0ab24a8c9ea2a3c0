package gateway

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

func signer(t testing.TB, seed byte) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(append(make([]byte, 31), seed)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// portMemory is a PortStore without a disk.
type portMemory struct {
	mu    sync.Mutex
	ports map[uint16]PortAssignment
	sets  int
}

func (m *portMemory) Ports() (all []PortAssignment, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.ports {
		all = append(all, a)
	}
	return all, nil
}

func (m *portMemory) SetPort(all ...PortAssignment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports == nil {
		m.ports = make(map[uint16]PortAssignment)
	}
	for _, a := range all {
		m.ports[a.Port] = a
		m.sets++
	}
	return nil
}

// logBuffer is what a gateway has logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) linesWith(text string) (lines []string) {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// house is a gateway that serves, and its shared port.
type house struct {
	*Gateway
	opts Options // that it began with
	t    testing.TB
	log  *logBuffer
	stop func()
}

// nocOptions lets manager "noc" reach edge-* by password "right" and key 2,
// and "admin" everything by password "right".
func nocOptions(t testing.TB) Options {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Port:     freePort(t),
		HostKeys: []ssh.Signer{signer(t, 1)},
		Managers: []auth.Manager{
			{Name: "noc", PasswordHash: string(hash), AuthorizedKeys: []ssh.PublicKey{signer(t, 2).PublicKey()}, Devices: []string{"edge-*"}},
			{Name: "admin", PasswordHash: string(hash), Devices: []string{"*"}},
		},
	}
}

func serve(t testing.TB, opts Options) *house {
	t.Helper()
	h := &house{t: t, log: &logBuffer{}}
	opts.Log = hclog.New(&hclog.LoggerOptions{Output: h.log, Level: hclog.Debug})
	var err error
	if h.Gateway, err = New(opts); err != nil {
		t.Fatal(err)
	}
	h.opts = h.Gateway.opts().Options
	if err := h.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.Serve(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

// with attaches a device that answers, and waits for its endpoint.
func (h *house) with(t *testing.T, names ...string) *house {
	for _, name := range names {
		h.attach(name, echoLink(t, name, 1))
	}
	return h
}

// attach attaches the link until it ends.
func (h *house) attach(name string, l link) {
	h.Gateway.attach(name, l)
	go func() {
		<-l.Done()
		h.detach(name, l)
	}()
}

func (h *house) portOf(name string) uint16 {
	h.t.Helper()
	d := h.known(name)
	if d == nil {
		h.t.Fatalf("device %s is not known", name)
	}
	var port uint16
	eventually(h.t, "an endpoint", func() bool {
		if e := d.endpointNow(callhome.SSH); e != nil {
			port = e.port
		}
		return port != 0
	})
	return port
}

// eventually waits until the condition holds: for what has no event to wait on.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("no %s in 30 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func password(user, word string) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.Password(word)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 10 * time.Second,
	}
}

func address(port uint16) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func dial(t testing.TB, port uint16, user string) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", address(port), password(user, "right"))
	if err != nil {
		t.Fatalf("logging in as %s: %v", user, err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// channel is a manager's channel with what came on it besides data.
type channel struct {
	ssh.Channel
	t      testing.TB
	conn   *netconf.Conn
	status chan uint32 // of the exit; closed when the channel is
	said   chan string // on stderr, up to its end
}

func openChannel(t testing.TB, client *ssh.Client) *channel {
	t.Helper()
	ch, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatalf("opening a channel: %v", err)
	}
	c := &channel{Channel: ch, t: t, conn: netconf.NewConn(ch), status: make(chan uint32, 1), said: make(chan string, 1)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(c.status)
		for request := range requests {
			var exit struct{ Status uint32 }
			if request.Type == "exit-status" && ssh.Unmarshal(request.Payload, &exit) == nil {
				c.status <- exit.Status
			}
		}
	})
	reading.Go(func() {
		said, _ := io.ReadAll(ch.Stderr())
		c.said <- string(said)
	})
	t.Cleanup(func() {
		ch.Close()
		client.Close()
		reading.Wait()
	})
	return c
}

func (c *channel) ask(kind, payload string) bool {
	c.t.Helper()
	ok, err := c.SendRequest(kind, true, ssh.Marshal(struct{ S string }{payload}))
	if err != nil {
		c.t.Fatalf("requesting %s: %v", kind, err)
	}
	return ok
}

// exit returns the exit status and what was said, once the channel has ended.
func (c *channel) exit() (uint32, string) {
	c.t.Helper()
	select {
	case status, ok := <-c.status:
		if !ok {
			c.t.Fatal("the channel ended without an exit status")
		}
		return status, <-c.said
	case <-time.After(10 * time.Second):
		c.t.Fatal("the channel did not end")
	}
	return 0, ""
}

// hello opens a NETCONF session on a new channel.
func hello(t testing.TB, client *ssh.Client) *channel {
	t.Helper()
	c := openChannel(t, client)
	if !c.ask("subsystem", "netconf") {
		t.Fatal("the netconf subsystem was refused")
	}
	if err := c.hello(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *channel) hello() error { return exchangeHellos(c.conn) }

// exchangeHellos does what a manager does first.
func exchangeHellos(c *netconf.Conn) error {
	device, err := netconf.ReadHello(c.Reader)
	if err != nil {
		return fmt.Errorf("reading the device's hello: %w", err)
	}
	own := &netconf.Hello{Capabilities: []string{netconf.CapabilityBase10, netconf.CapabilityBase11}}
	if err := c.WriteDocument(own.Document()); err != nil {
		return err
	}
	framing, err := netconf.CommonFraming(own, device)
	c.SetFraming(framing)
	return err
}

// get returns the reply to a small rpc.
func (c *channel) get() string {
	c.t.Helper()
	write(c.t, c.conn, rpc(1, "<get/>"))
	return read(c.t, c.conn)
}

// stubborn is a manager's connection that stops reading on demand.
type stubborn struct {
	net.Conn
	mu      sync.Mutex
	blocked chan struct{}
}

func (s *stubborn) Read(p []byte) (int, error) {
	s.mu.Lock()
	blocked := s.blocked
	s.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	return s.Conn.Read(p)
}

func (s *stubborn) block() (unblock func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = make(chan struct{})
	return sync.OnceFunc(func() { close(s.blocked) })
}

func dialStubborn(t testing.TB, port uint16, user string) (*ssh.Client, *stubborn) {
	t.Helper()
	conn, err := net.Dial("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	s := &stubborn{Conn: conn}
	c, channels, requests, err := ssh.NewClientConn(s, address(port), password(user, "right"))
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(c, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client, s
}

// authFailed reports whether the error is that of a refused login, as every
// refused login looks.
func authFailed(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ssh: handshake failed: ssh: unable to authenticate, "+
		"attempted methods [none password], no supported methods remain")
}

var errReset = errors.New("connection reset by peer")
