package devicesim

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/internal/netconf"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testOptions are those of a device that lets user/secret in.
func testOptions(t testing.TB) Options {
	t.Helper()
	key, err := KeyFromSeed("test", 0)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Name: "dev", HostKeys: []ssh.Signer{key}, Username: "user", Password: "secret"}
}

// newDevice makes a device from testOptions as changed by change.
func newDevice(t testing.TB, change func(*Options)) *Device {
	t.Helper()
	o := testOptions(t)
	if change != nil {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serve runs one call of a device over loopback until the test ends, and
// returns the other side of it.
func serve(t testing.TB, d *Device) net.Conn {
	t.Helper()
	listener := listen(t)
	conns := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			close(conns)
			return
		}
		conns <- conn
	}()
	device, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := <-conns
	if !ok {
		t.Fatal("no connection")
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() { _ = d.Serve(ctx, device) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		_ = conn.Close()
	})
	return conn
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// login logs in to a device as user/secret.
func login(t testing.TB, conn net.Conn) *ssh.Client {
	t.Helper()
	client, err := tryLogin(conn, ssh.Password("secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); _ = client.Wait() })
	return client
}

func tryLogin(conn net.Conn, methods ...ssh.AuthMethod) (*ssh.Client, error) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	defer conn.SetDeadline(time.Time{})
	c, chans, reqs, err := ssh.NewClientConn(conn, "device", &ssh.ClientConfig{
		User: "user", Auth: methods, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(c, chans, reqs), nil
}

// channelStream is the client's side of a netconf channel.
type channelStream struct {
	io.Reader
	io.WriteCloser
	session *ssh.Session
}

// Close closes the channel, and not its writing side only.
func (c channelStream) Close() error { return c.session.Close() }

// client is a manager with one session.
type client struct {
	*netconf.Conn
	t     testing.TB
	ssh   *ssh.Session
	input io.WriteCloser
	hello *netconf.Hello
	n     int
}

// subsystem opens a channel with the netconf subsystem, without a hello.
func subsystem(t testing.TB, c *ssh.Client) *client {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	input, _ := s.StdinPipe()
	output, _ := s.StdoutPipe()
	if err := s.RequestSubsystem("netconf"); err != nil {
		t.Fatal(err)
	}
	return &client{
		Conn: netconf.NewConn(channelStream{output, input, s}),
		t:    t, ssh: s, input: input,
	}
}

// open opens a session that speaks the base versions, "1.0" and "1.1" if none
// are given.
func open(t testing.TB, c *ssh.Client, versions ...string) *client {
	t.Helper()
	return hello(t, subsystem(t, c), versions...)
}

// hello exchanges hellos.
func hello(t testing.TB, m *client, versions ...string) *client {
	t.Helper()
	own := &netconf.Hello{}
	if len(versions) == 0 {
		versions = []string{"1.0", "1.1"}
	}
	for _, v := range versions {
		own.Capabilities = append(own.Capabilities, "urn:ietf:params:netconf:base:"+v)
	}
	if err := m.WriteDocument(own.Document()); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.hello, err = netconf.ReadHello(m.Reader); err != nil {
		t.Fatal(err)
	}
	framing, err := netconf.CommonFraming(own, m.hello)
	if err != nil {
		t.Fatal(err)
	}
	m.SetFraming(framing)
	return m
}

// connect makes a device, logs in to it, and opens a session.
func connect(t testing.TB, change func(*Options)) (*Device, *ssh.Client, *client) {
	t.Helper()
	d := newDevice(t, change)
	c := login(t, serve(t, d))
	return d, c, open(t, c)
}

// send sends an rpc with the operation.
func (c *client) send(operation string) {
	c.t.Helper()
	c.n++
	c.write(fmt.Sprintf(`<rpc xmlns="%s" message-id="%d">%s</rpc>`, netconf.NamespaceBase, c.n, operation))
}

func (c *client) write(doc string) {
	c.t.Helper()
	if err := c.WriteDocument([]byte(doc)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next message.
func (c *client) read() string {
	c.t.Helper()
	m, err := c.Next()
	if err != nil {
		c.t.Fatal(err)
	}
	doc, err := io.ReadAll(m.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(doc)
}

// do sends an operation and returns the reply.
func (c *client) do(operation string) string {
	c.t.Helper()
	c.send(operation)
	return c.read()
}

// ok sends operations that must succeed.
func (c *client) ok(operations ...string) {
	c.t.Helper()
	for _, op := range operations {
		if r := c.do(op); !strings.Contains(r, "<ok/>") {
			c.t.Fatalf("%s\nanswered\n%s", op, r)
		}
	}
}

// fails sends an operation that must fail, and returns the error's info.
func (c *client) fails(operation, tag string) string {
	c.t.Helper()
	var reply struct {
		Error struct {
			Tag  string `xml:"error-tag"`
			Info struct {
				XML string `xml:",innerxml"`
			} `xml:"error-info"`
		} `xml:"rpc-error"`
	}
	r := c.do(operation)
	if err := xml.Unmarshal([]byte(r), &reply); err != nil {
		c.t.Fatalf("%v in %s", err, r)
	}
	if reply.Error.Tag != tag {
		c.t.Fatalf("%s\nanswered\n%s\nwant %s", operation, r, tag)
	}
	return reply.Error.Info.XML
}

// gone waits for the device to close the session.
func (c *client) gone() {
	c.t.Helper()
	for {
		if _, err := c.Next(); err != nil {
			return
		}
	}
}

// contains fails the test unless s has all parts.
func contains(t testing.TB, s string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(s, p) {
			t.Fatalf("%q is missing in\n%s", p, s)
		}
	}
}

// within waits for something to happen.
func within[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}
