package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/ssh"
)

func TestManyManagersOnOneDevice(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1", "edge-2")
	client := dial(t, h.opts.Port, "noc@edge-1")
	a, b := hello(t, client), hello(t, client)
	c := hello(t, dial(t, h.opts.Port, "admin@edge-1"))
	d := hello(t, dial(t, h.opts.Port, "noc@edge-2"))
	for i, s := range []struct {
		*channel
		device, session string
	}{{a, "edge-1", "2"}, {b, "edge-1", "3"}, {c, "edge-1", "4"}, {d, "edge-2", "2"}} {
		if got := s.get(); !strings.Contains(got, "<device>"+s.device+"</device><session>"+s.session+"</session>") {
			t.Errorf("manager %d got %q", i, got)
		}
	}
	if n := len(h.Devices()[0].Sessions); n != 3 {
		t.Errorf("edge-1 has %d sessions", n)
	}
	write(t, a.conn, rpc(2, "<close-session/>"))
	read(t, a.conn)
	if status, said := a.exit(); status != 0 || said != "" {
		t.Errorf("closed with status %d and %q", status, said)
	}
	if got := b.get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("then the second manager got %q", got)
	}
	h.stop()
	if got := h.log.String(); !strings.Contains(got, "session_id=2") || !strings.Contains(got, "messages_in=2") ||
		strings.Count(got, "a manager session starts") != strings.Count(got, "a manager session ends") {
		t.Errorf("the log lacks something:\n%s", got)
	}
}

func TestSentences(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-9"}, {Name: "edge-3", Sessions: SessionsOwn}}
	h := serve(t, opts).with(t, "edge-1")
	away := echoLink(t, "edge-2", 1)
	h.attach("edge-2", away)
	away.breaks(errReset)
	eventually(t, "device that is away", func() bool { return h.known("edge-2").isAway() })
	h.NoteOutcome("edge-2", callhome.Outcome{Time: time.Now(), Reason: callhome.RejectedKeyChanged, Detail: "it shows\nanother key"})
	full := newFakeLink(1, func(context.Context, uint32) (session, error) { return nil, callhome.ErrNoSession })
	h.attach("edge-3", full)
	t.Cleanup(func() { full.breaks(errReset) })
	for _, c := range []struct {
		user, kind, payload string
		want                []string
	}{
		{"noc@edge-1", "shell", "", []string{"NETCONF", "device edge-1", "no shell", "ssh -s"}},
		{"noc@edge-1", "exec", "reboot", []string{"NETCONF", "no shell"}},
		{"noc@edge-1", "subsystem", "sftp", []string{"NETCONF", "no files"}},
		{"noc@edge-9", "subsystem", "netconf", []string{"edge-9 is not connected", "has not called since the gateway started"}},
		{"noc@edge-2", "subsystem", "netconf", []string{"edge-2 is not connected", "went away", "connection reset", "rejected-key-changed", "it shows another key"}},
		{"noc@edge-3", "subsystem", "netconf", []string{"edge-3 allows no further session"}},
		{"noc@edge-404", "subsystem", "netconf", []string{`"edge-404" is known`}},
		{"noc", "subsystem", "netconf", []string{"noc@DEVICE"}},
	} {
		ch := openChannel(t, dial(t, opts.Port, c.user))
		if !ch.ask("pty-req", "") || !ch.ask(c.kind, c.payload) {
			t.Errorf("%s: the request was refused, which hides the sentence", c.user)
		}
		status, said := ch.exit()
		if status != 1 || !strings.HasSuffix(said, "\r\n") || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: status %d, %q", c.user, status, said)
		}
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q does not say %q", c.user, said, want)
			}
		}
	}
}

func (d *device) isAway() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link == nil
}

func TestOnlySessionsAreServed(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1")
	client := dial(t, h.opts.Port, "noc@edge-1")
	for _, kind := range []string{"direct-tcpip", "x11", "made-up"} {
		_, _, err := client.OpenChannel(kind, nil)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, "NETCONF") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if ok, _, err := client.SendRequest("tcpip-forward", true, nil); ok || err != nil {
		t.Errorf("tcpip-forward: %v, %v", ok, err)
	}
	s := hello(t, client)
	for _, kind := range []string{"shell", "subsystem", "auth-agent-req@openssh.com"} {
		if s.ask(kind, "netconf") {
			t.Errorf("a second %s was granted", kind)
		}
	}
	if got := s.get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("then got %q", got)
	}
}

func TestChannelsAreBounded(t *testing.T) {
	opts := nocOptions(t)
	opts.MaxSessions = 2
	h := serve(t, opts).with(t, "edge-1")
	client := dial(t, h.opts.Port, "noc@edge-1")
	a := hello(t, client)
	hello(t, client)
	_, _, err := client.OpenChannel("session", nil)
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("the third channel: %v", err)
	}
	a.Close()
	eventually(t, "free place", func() bool {
		ch, requests, err := client.OpenChannel("session", nil)
		if err != nil {
			return false
		}
		go ssh.DiscardRequests(requests)
		ch.Close()
		return true
	})
}

func TestManagerWaitsForTheDevice(t *testing.T) {
	opts := nocOptions(t)
	opts.Wait = time.Minute
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts)
	ch := openChannel(t, dial(t, opts.Port, "noc@edge-1"))
	asked := make(chan bool)
	go func() { asked <- ch.ask("subsystem", "netconf") }()
	select {
	case <-asked:
		t.Error("the subsystem was answered while the device is away")
	case <-time.After(20 * time.Millisecond):
	}
	h.with(t, "edge-1")
	if !<-asked {
		t.Error("the subsystem was refused")
	}
	if hello, err := netconf.ReadHello(ch.conn.Reader); err != nil || hello.SessionID != 2 {
		t.Errorf("the hello: %v, %v", hello, err)
	}
}

// When the link ends its sessions end at once, cleanly, also that of a manager
// that does not read.
func TestLinkEnds(t *testing.T) {
	h := serve(t, nocOptions(t))
	flood := bulkyLink(t, func(uint32) int { return 32 << 20 })
	h.attach("edge-1", flood)
	idle := hello(t, dial(t, h.opts.Port, "noc@edge-1"))
	// This one has 32 MiB to read and does not: the window is full.
	full := hello(t, dial(t, h.opts.Port, "noc@edge-1"))
	write(t, full.conn, rpc(1, "<get/>"))
	// And this one's whole connection is stuck.
	client, wire := dialStubborn(t, h.opts.Port, "noc@edge-1")
	stuck := hello(t, client)
	write(t, stuck.conn, rpc(1, "<get/>"))
	defer wire.block()()
	eventually(t, "blocked sessions", func() bool {
		blocked := 0
		for s := range h.known("edge-1").sessionsNow() {
			if len(s.stream.writing) == 1 && s.stream.out.Load() > 1<<20 {
				blocked++
			}
		}
		return blocked == 2
	})
	begin := time.Now()
	flood.breaks(errReset)
	for _, c := range []*channel{idle, full} {
		if status, _ := c.exit(); status != 1 {
			t.Errorf("exit status %d", status)
		}
	}
	eventually(t, "end", func() bool { return len(h.known("edge-1").sessionsNow()) == 0 })
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the sessions ended after %v", took)
	}
}

// sessionsNow returns a copy of the sessions.
func (d *device) sessionsNow() map[*managerSession]struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make(map[*managerSession]struct{})
	for s := range d.sessions {
		all[s] = struct{}{}
	}
	return all
}

// A manager that reads nothing is ended; another on the same connection, and
// one on its own, do not notice.
func TestSlowManagerStallsNobody(t *testing.T) {
	opts := nocOptions(t)
	opts.StallTimeout = 300 * time.Millisecond
	h := serve(t, opts)
	h.attach("edge-1", bulkyLink(t, func(id uint32) int {
		if id == 2 {
			return 8 << 20
		}
		return 10
	}))
	client := dial(t, h.opts.Port, "noc@edge-1")
	slow := hello(t, client)
	write(t, slow.conn, rpc(1, "<get/>"))
	others := []*channel{hello(t, client), hello(t, dial(t, h.opts.Port, "noc@edge-1"))}
	for range 20 {
		for _, o := range others {
			o.get()
		}
	}
	if status, _ := slow.exit(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	for _, o := range others {
		o.get()
	}
	h.stop()
	if got := h.log.String(); !strings.Contains(got, "reads nothing") {
		t.Errorf("the log does not say why:\n%s", got)
	}
}

func TestNewerLinkReplacesTheOlder(t *testing.T) {
	h := serve(t, nocOptions(t))
	older, newer := echoLink(t, "older", 1), echoLink(t, "newer", 2)
	h.attach("edge-1", older)
	s := hello(t, dial(t, h.opts.Port, "noc@edge-1"))
	h.attach("edge-1", newer)
	h.attach("edge-1", older) // comes too late
	if got := s.get(); !strings.Contains(got, "<device>older<") {
		t.Errorf("the session on the older link got %q", got)
	}
	older.breaks(errReset)
	if status, said := s.exit(); status != 1 || !strings.Contains(said, "has ended") {
		t.Errorf("status %d, %q", status, said)
	}
	if got := hello(t, dial(t, h.opts.Port, "noc@edge-1")).get(); !strings.Contains(got, "<device>newer<") {
		t.Errorf("then got %q", got)
	}
}

func TestShutdown(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1")
	idle := dial(t, h.opts.Port, "noc@edge-1")
	s := hello(t, dial(t, h.opts.Port, "noc@edge-1"))
	silent, err := net.Dial("tcp", address(h.opts.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	begin := time.Now()
	h.stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if status, said := s.exit(); status != 1 || !strings.Contains(said, "stopping") {
		t.Errorf("status %d, %q", status, said)
	}
	if err := idle.Wait(); err == nil {
		t.Error("an idle connection lives on")
	}
	h.attach("edge-2", echoLink(t, "edge-2", 1)) // comes too late, and does no harm
}

func TestListenErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		shared uint16
		device DeviceConfig
		want   string
	}{
		{port, DeviceConfig{Name: "edge-1"}, "gateway port"},
		{0, DeviceConfig{Name: "edge-1", Port: port}, "device edge-1"},
	} {
		opts := nocOptions(t)
		opts.Port, opts.Devices = c.shared, []DeviceConfig{c.device}
		g, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		err = g.Listen()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprint(port)) ||
			!strings.Contains(err.Error(), "address already in use") {
			t.Errorf("error %v does not say %q", err, c.want)
		}
	}
}

// What calls while a device is connected does not explain why it is away later.
func TestOutcomesWhileConnectedAreIgnored(t *testing.T) {
	h := serve(t, nocOptions(t))
	l := echoLink(t, "edge-1", 1)
	h.attach("edge-1", l)
	h.NoteOutcome("edge-1", callhome.Outcome{Time: time.Now(), Reason: callhome.RejectedKeyChanged})
	l.breaks(errReset)
	d := h.known("edge-1")
	eventually(t, "device that is away", func() bool { return d.isAway() })
	if why := d.whyAway(h.started, time.Now()); strings.Contains(why, "last call") {
		t.Error(why)
	}
}

// unconfirmed is a session whose device does not confirm that it has ended.
type unconfirmed struct {
	session
	confirmed chan struct{}
}

func (s unconfirmed) Receive(take func(*netconf.Message) error) error {
	defer func() { <-s.confirmed }()
	return s.session.Receive(take)
}

func TestBusyDeviceDoesNotKeepSessionsThatHaveEnded(t *testing.T) {
	h := serve(t, nocOptions(t))
	confirmed := make(chan struct{})
	defer close(confirmed)
	l := newFakeLink(1, func(_ context.Context, id uint32) (session, error) {
		s, _ := newPipeSession(id, netconf.Chunked)
		return unconfirmed{s, confirmed}, nil
	})
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	client := dial(t, h.opts.Port, "noc@edge-1")
	hello(t, client).Close()
	eventually(t, "end of the session", func() bool { return len(h.Devices()[0].Sessions) == 0 })
	client.Close()
	eventually(t, "end of the connection", func() bool {
		h.quotas.connections.mu.Lock()
		defer h.quotas.connections.mu.Unlock()
		return h.quotas.connections.held["noc"] == 0
	})
}

func TestForget(t *testing.T) {
	opts := nocOptions(t)
	own := freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: own}}
	h := serve(t, opts).with(t, "edge-1")
	s := hello(t, dial(t, h.opts.Port, "noc@edge-1"))
	onOwn := hello(t, dial(t, own, "noc"))
	h.Forget("edge-1")
	for _, c := range []*channel{s, onOwn} {
		if status, said := c.exit(); status != 1 || !strings.Contains(said, "removed") {
			t.Errorf("status %d, %q", status, said)
		}
	}
	if conn, err := net.Dial("tcp", address(own)); err == nil {
		conn.Close()
		t.Error("its endpoint is still open")
	}
	ch := openChannel(t, dial(t, h.opts.Port, "noc@edge-1"))
	ch.ask("subsystem", "netconf")
	if _, said := ch.exit(); !strings.Contains(said, "known") {
		t.Errorf("said %q", said)
	}
	h.Forget("edge-1")
	h.with(t, "edge-1")
	if got := hello(t, dial(t, h.opts.Port, "noc@edge-1")).get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("after it came back: %q", got)
	}
}

// noTLS are TLS options that let nobody in.
func noTLS() *TLSOptions {
	return &TLSOptions{
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil },
		Names:       &auth.CertNames{},
	}
}

func TestNewRefuses(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"no host key":                     func(o *Options) { o.HostKeys = nil },
		"defined twice":                   func(o *Options) { o.Managers = append(o.Managers, o.Managers[0]) },
		"there twice":                     func(o *Options) { o.Devices = []DeviceConfig{{Name: "a"}, {Name: "a"}} },
		"no device name":                  func(o *Options) { o.Devices = []DeviceConfig{{Name: "A b"}} },
		"is both that":                    func(o *Options) { o.Devices = []DeviceConfig{{Name: "a", Port: o.Port}} },
		"no range":                        func(o *Options) { o.Ports = PortRange{5, 4} },
		"PortStore":                       func(o *Options) { o.Ports = PortRange{4, 5} },
		"of the shared endpoint over SSH": func(o *Options) { o.TLSPort, o.Domain, o.TLS = o.Port, "example.net", noTLS() },
		"of device a over SSH": func(o *Options) {
			o.TLS, o.Devices = noTLS(), []DeviceConfig{{Name: "a", Port: 7}, {Name: "b", TLSPort: 7}}
		},
		"a over TLS needs":       func(o *Options) { o.Devices = []DeviceConfig{{Name: "a", TLSPort: 7}} },
		"shared endpoint over":   func(o *Options) { o.TLSPort, o.Domain = 7, "example.net" },
		`""`:                     func(o *Options) { o.TLSPort, o.TLS = 7, noTLS() },
		`".example.net"`:         func(o *Options) { o.TLSPort, o.TLS, o.Domain = 7, noTLS(), ".Example.net" },
		`"*.example.net"`:        func(o *Options) { o.TLSPort, o.TLS, o.Domain = 7, noTLS(), "*.example.net" },
		`"xx.xx.xx`:              func(o *Options) { o.TLSPort, o.TLS, o.Domain = 7, noTLS(), strings.Repeat("xx.", 64) },
		"with a certificate and": func(o *Options) { o.TLSPort, o.TLS, o.Domain = 7, &TLSOptions{}, "example.net" },
	} {
		opts := nocOptions(t)
		change(&opts)
		if _, err := New(opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
