package devicesim

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// record collects strings from hooks.
type record struct {
	mu  sync.Mutex
	all []string
}

func (r *record) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, s)
}

func (r *record) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestAuthentication(t *testing.T) {
	known := newSigner(t)
	answer := func(_, _ string, questions []string, _ []bool) ([]string, error) {
		return slices.Repeat([]string{"secret"}, len(questions)), nil
	}
	tests := []struct {
		name    string
		change  func(*Options)
		method  ssh.AuthMethod
		ok      bool
		methods []string
	}{
		{"password", nil, ssh.Password("secret"), true, []string{"none", "password"}},
		{"wrong password", nil, ssh.Password("guess"), false, []string{"none", "password"}},
		{"key", func(o *Options) { o.AuthorizedKeys = []ssh.PublicKey{known.PublicKey()} }, ssh.PublicKeys(known), true,
			[]string{"none", "publickey", "publickey"}},
		{"wrong key", func(o *Options) { o.AuthorizedKeys = []ssh.PublicKey{newSigner(t).PublicKey()} }, ssh.PublicKeys(known), false,
			[]string{"none", "publickey"}},
		{"wrong user", func(o *Options) { o.Username = "root" }, ssh.Password("secret"), false, []string{"none", "password"}},
		{"keyboard-interactive", func(o *Options) { o.KeyboardInteractive = true }, ssh.KeyboardInteractive(answer), true,
			[]string{"none", "keyboard-interactive"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked record
			d := newDevice(t, func(o *Options) {
				o.OnAuth = func(user, method string) { asked.add(method) }
				if tt.change != nil {
					tt.change(o)
				}
			})
			client, err := tryLogin(serve(t, d), tt.method)
			if (err == nil) != tt.ok {
				t.Fatalf("login: %v", err)
			}
			if client != nil {
				_ = client.Close()
			}
			if got := asked.list(); !slices.Equal(got, tt.methods) {
				t.Errorf("authentication requests %v, want %v", got, tt.methods)
			}
		})
	}
}

func TestOtherRequestsAreRefused(t *testing.T) {
	_, client, _ := connect(t, nil)
	if ok, _, err := client.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("keepalive: %v, %v", ok, err)
	}
	if _, _, err := client.OpenChannel("direct-tcpip", nil); err == nil {
		t.Error("a forwarding was opened")
	}
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if s.Shell() == nil || s.RequestSubsystem("sftp") == nil {
		t.Error("a shell or sftp was started")
	}
	if err := s.RequestSubsystem("netconf"); err != nil {
		t.Error(err)
	}
}

func TestIgnoreGlobalRequests(t *testing.T) {
	_, client, c := connect(t, func(o *Options) { o.IgnoreGlobalRequests = true })
	answered := make(chan error, 1)
	go func() {
		_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	contains(t, c.do(`<get/>`), "<data")
	_ = client.Close()
	if within(t, answered) == nil {
		t.Error("the request was answered")
	}
}

func TestBusyBlocksAll(t *testing.T) {
	began := make(chan struct{}, 10)
	_, client, c := connect(t, func(o *Options) {
		o.BusyBlocksAll = true
		o.OnMessage = func(uint32, []byte) { began <- struct{}{} }
	})
	other := open(t, client)
	const busy = 200 * time.Millisecond
	nap := `<sleep` + simXMLNS + `><milliseconds>200</milliseconds></sleep>`
	blocked := map[string]func(){
		"global request": func() { _, _, _ = client.SendRequest("keepalive@openssh.com", true, nil) },
		"other session":  func() { other.do(`<get/>`) },
		"new channel":    func() { open(t, client) },
	}
	for name, request := range blocked {
		c.send(nap)
		within(t, began)
		start := time.Now()
		request()
		if took := time.Since(start); took < busy*9/10 {
			t.Errorf("%s was answered after %v", name, took)
		}
		contains(t, c.read(), "<ok/>")
		for len(began) > 0 {
			<-began
		}
	}
}

func TestSleepBlocksItsSessionOnly(t *testing.T) {
	d, client, c := connect(t, nil)
	c.send(`<sleep` + simXMLNS + `><milliseconds>3600000</milliseconds></sleep>`)
	contains(t, open(t, client).do(`<get/>`), "<data")
	if d.Sessions() != 2 {
		t.Errorf("%d sessions", d.Sessions())
	}
	_ = client.Close() // and the sleeper ends with the connection
}

func TestGarbageIsSurvived(t *testing.T) {
	d := newDevice(t, nil)
	for _, garbage := range []string{"GET / HTTP/1.0\r\n\r\n", strings.Repeat("x", 1<<16), "SSH-2.0-x\r\n" + strings.Repeat("\xff", 1<<12)} {
		conn := serve(t, d)
		_, _ = io.WriteString(conn, garbage)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
	login(t, serve(t, d))
}

// accept accepts the call of a device under test.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// start runs something until the test ends.
func start(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func TestRunCallsAgain(t *testing.T) {
	l := listen(t)
	ended := make(chan error, 10)
	d := newDevice(t, func(o *Options) {
		o.Connect, o.Reconnect = l.Addr().String(), time.Millisecond
		o.Source = netip.MustParseAddr("127.7.7.7")
		o.OnDisconnect = func(err error) { ended <- err }
	})
	start(t, d.Run)
	first := accept(t, l)
	if host, _, _ := net.SplitHostPort(first.RemoteAddr().String()); host != "127.7.7.7" {
		t.Errorf("called from %s", host)
	}
	open(t, login(t, first))
	d.Drop()
	within(t, ended)
	c := open(t, login(t, accept(t, l)))
	if c.hello.SessionID != 2 {
		t.Errorf("session-id %d, want 2", c.hello.SessionID)
	}
	if got, want := d.Calls(), (Calls{Connected: 2, LoggedIn: 2}); got != want {
		t.Errorf("calls %+v, want %+v", got, want)
	}
}

func TestDropIsSeenAsReset(t *testing.T) {
	d := newDevice(t, nil)
	conn := serve(t, d)
	client := login(t, conn)
	open(t, client)
	d.Drop()
	if err := client.Wait(); err == nil || err == io.EOF {
		t.Errorf("the connection ended with %v, want a reset", err)
	}
}

func TestFreeze(t *testing.T) {
	d, _, c := connect(t, nil)
	d.Freeze()
	c.send(`<get/>`)
	done := make(chan string, 1)
	go func() { done <- c.read() }()
	select {
	case got := <-done:
		t.Errorf("a frozen device answered %s", got)
	default:
	}
	d.Thaw()
	contains(t, within(t, done), "<data")
	d.Freeze() // and a frozen device can be stopped
}

func TestKeysFromSeed(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []string{"a", "b"} {
		for i := range 3 {
			one, _ := KeyFromSeed(seed, i)
			two, err := KeyFromSeed(seed, i)
			if err != nil {
				t.Fatal(err)
			}
			if one := ssh.FingerprintSHA256(one.PublicKey()); one != ssh.FingerprintSHA256(two.PublicKey()) || seen[one] {
				t.Errorf("%s %d: %s", seed, i, one)
			} else {
				seen[one] = true
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	tests := []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.HostKeys = nil }, "host key"},
		{func(o *Options) { o.Username = "" }, "username"},
		{func(o *Options) { o.Password = "" }, "password or an authorized key"},
		{func(o *Options) { o.TLS = &TLS{} }, "client certificates"},
		{func(o *Options) { o.TLS = &TLS{AnyClient: true, MinVersion: 0x304, MaxVersion: 0x303} }, "TLS versions"},
		{func(o *Options) { o.TLS = &TLS{AnyClient: true, Issuer: &tls.Certificate{}} }, "issuer"},
		{func(o *Options) { o.Base = []string{"1.2"} }, `"1.2"`},
		{func(o *Options) { o.ConfirmedCommit = "1.1" }, "candidate"},
		{func(o *Options) { o.ConfirmedCommit = "2" }, `"2"`},
		{func(o *Options) { o.Replay = 1 << 30 }, "replay"},
		{func(o *Options) { o.HelloSize = 1 << 30 }, "hello size"},
		{func(o *Options) { o.Config = "<a>" }, "configuration of dev"},
	}
	for _, tt := range tests {
		o := testOptions(t)
		tt.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}
