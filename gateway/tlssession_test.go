package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"
)

func TestManagersOverBothTransports(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	overSSH := hello(t, dial(t, opts.Port, "noc@edge-1"))
	overTLS := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	if a, b := overSSH.get(), overTLS.get(); !strings.Contains(a, "<session>2<") || !strings.Contains(b, "<session>3<") {
		t.Errorf("got %q and %q", a, b)
	}
	sessions := h.Devices()[0].Sessions
	if len(sessions) != 2 || sessions[0].Transport != callhome.SSH || sessions[1].Transport != callhome.TLS ||
		sessions[1].Manager != "noc" || !sessions[1].Source.IsValid() {
		t.Errorf("the sessions are %+v", sessions)
	}
	write(t, overTLS.conn, rpc(2, "<close-session/>"))
	read(t, overTLS.conn)
	overTLS.ends()
	if got := overSSH.get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("then got %q", got)
	}
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "transport=tls") || !strings.Contains(log, "the manager ended the session") {
		t.Errorf("the log lacks something:\n%s", log)
	}
}

func TestDeviceIsAwayOverTLS(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts)
	dialTLS(t, opts.TLSPort, "edge-1", p.noc).ends()
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "a manager got no session") || !strings.Contains(log, "has not called since the gateway started") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestManagerWaitsForTheDeviceOverTLS(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.Wait = time.Minute
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts)
	early := dialTLS(t, opts.TLSPort, "edge-1", p.noc)
	own := &netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}}
	write(t, early.conn, string(own.Document()))
	write(t, early.conn, rpc(1, "<get/>"))
	h.with(t, "edge-1")
	if _, err := netconf.ReadHello(early.conn.Reader); err != nil {
		t.Fatal(err)
	}
	if got := read(t, early.conn); !strings.Contains(got, "<ok/>") {
		t.Errorf("got %q", got)
	}
}

// When the link ends, close_notify comes at once, also to one that does not
// read, and a connection that is stuck is closed.
func TestLinkEndsOverTLS(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts)
	flood := bulkyLink(t, func(uint32) int { return 32 << 20 })
	h.attach("edge-1", flood)
	idle := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	stuck := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	write(t, stuck.conn, rpc(1, "<get/>"))
	eventually(t, "blocked session", func() bool {
		for s := range h.known("edge-1").sessionsNow() {
			if s.stream.blocked() {
				return true
			}
		}
		return false
	})
	begin := time.Now()
	flood.breaks(errReset)
	idle.ends()
	eventually(t, "end", func() bool { return h.connectionsOf("noc") == 0 })
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("the sessions ended after %v", took)
	}
}

// connectionsOf returns how many connections the manager has.
func (h *house) connectionsOf(manager string) int {
	h.quotas.connections.mu.Lock()
	defer h.quotas.connections.mu.Unlock()
	return h.quotas.connections.held[manager]
}

func TestHalfCloseOverTLS(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts)
	asked, answer := make(chan struct{}), make(chan struct{})
	l := newFakeLink(1, func(_ context.Context, id uint32) (session, error) {
		s, device := newPipeSession(id, netconf.Chunked)
		go func() {
			defer device.Close()
			if _, err := tryRead(device); err != nil {
				return
			}
			if _, err := device.Next(); err != io.EOF {
				t.Errorf("the device reads %v, want the end", err)
			}
			asked <- struct{}{}
			<-answer
			_ = device.WriteDocument([]byte(reply(1, "<ok/>")))
		}()
		return s, nil
	})
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		m, err := tryTLS(t, opts.TLSPort, &tls.Config{
			ServerName: "edge-1.gw.example.net", Certificates: []tls.Certificate{p.noc}, MaxVersion: version,
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, m.open().conn, rpc(1, "<get/>"))
		if err := m.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		<-asked
		answer <- struct{}{}
		if got := read(t, m.conn); !strings.Contains(got, "<ok/>") {
			t.Errorf("%s: got %q", tls.VersionName(version), got)
		}
		m.ends()
	}
}

// A connection that breaks ends its session at once, without waiting for what
// the device may still say.
func TestManagersConnectionBreaks(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	m.get()
	if err := m.NetConn().(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	m.NetConn().Close()
	eventually(t, "end of the session", func() bool { return len(h.known("edge-1").sessionsNow()) == 0 })
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "the manager's connection failed") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestSlowManagerIsEndedOverTLS(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.StallTimeout = 300 * time.Millisecond
	h := serve(t, opts)
	h.attach("edge-1", bulkyLink(t, func(uint32) int { return 16 << 20 }))
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	write(t, m.conn, rpc(1, "<get/>"))
	eventually(t, "end of the connection", func() bool { return h.connectionsOf("noc") == 0 })
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "reads nothing") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestShutdownOverTLS(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-2"}}
	h := serve(t, opts).with(t, "edge-1")
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	// This one was told that its device is away, and does not go.
	lingering := dialTLS(t, opts.TLSPort, "edge-2", p.noc)
	if _, err := lingering.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	begin := time.Now()
	h.stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	m.ends()
}

// A list that was replaced ends managers that it names, whether they have a
// session or wait for their device, and nobody else.
func TestManagersAreRevokedWhileTheyAreConnected(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.Wait = time.Minute
	opts.Devices = []DeviceConfig{{Name: "edge-2"}}
	h := serve(t, opts).with(t, "edge-1")
	noc, other := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open(), dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	waiting := dialTLS(t, opts.TLSPort, "edge-2", p.noc)
	eventually(t, "session that waits", func() bool { return len(h.visitors.now()) == 3 })
	if n := h.EndRevoked(); n != 0 {
		t.Errorf("nobody was revoked, and %d were ended", n)
	}
	if err := opts.TLS.Anchors.SetLists([]*x509.RevocationList{p.ca.revoke(p.noc)}); err != nil {
		t.Fatal(err)
	}
	if n := h.EndRevoked(); n != 2 {
		t.Errorf("%d were ended", n)
	}
	noc.ends()
	waiting.ends()
	if got := other.get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("another manager got %q", got)
	}
	eventually(t, "end of both", func() bool { return len(h.visitors.now()) == 1 })
	h.stop()
	for _, line := range []string{"a manager session ends", "a manager got no session"} {
		if log := strings.Join(h.log.linesWith(line), ""); !strings.Contains(log, "the manager's certificate was revoked") {
			t.Errorf("the log does not say why:\n%s", log)
		}
	}
	if n := len(h.visitors.now()); n != 0 {
		t.Errorf("%d are still known", n)
	}
}

// The lists may change between the handshake and the session.
func TestAManagerThatIsRevokedAsItLogsInGetsNoSession(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	h.visitors.mu.Lock() // which holds up the session
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc)
	eventually(t, "login", func() bool { return len(h.log.linesWith("has logged in")) == 1 })
	if err := opts.TLS.Anchors.SetLists([]*x509.RevocationList{p.ca.revoke(p.noc)}); err != nil {
		t.Fatal(err)
	}
	h.visitors.mu.Unlock()
	m.ends()
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "the manager's certificate was revoked") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestSurplusIsRefusedOverTLS(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	g := grant{"noc", "edge-1"}
	for h.quotas.enter(g, 0) == "" {
	}
	dialTLS(t, opts.TLSPort, "edge-1", p.noc).ends()
	h.quotas.leave(g)
	eventually(t, "end of the connection", func() bool {
		h.quotas.connections.mu.Lock()
		defer h.quotas.connections.mu.Unlock()
		return h.quotas.connections.held["noc"] == 0
	})
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	for h.quotas.connect(g) == "" {
	}
	dialTLS(t, opts.TLSPort, "edge-1", p.noc).ends()
	m.get()
	dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	h.stop()
	for _, want := range []string{"too many sessions with this device", "too many connections to this device"} {
		if log := h.log.String(); !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

func TestDevicesTLSEndpoint(t *testing.T) {
	opts, p := tlsOptions(t)
	own, secure := freePort(t), freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: own, TLSPort: secure}}
	opts.Ports, opts.PortStore = PortRange{secure, secure}, &portMemory{}
	h := serve(t, opts).with(t, "edge-1")
	hello(t, dial(t, own, "noc"))
	m, err := tryTLS(t, secure, &tls.Config{Certificates: []tls.Certificate{p.noc}})
	if err != nil {
		t.Fatal(err)
	}
	m.open()
	if got := h.Devices()[0]; got.Port != own || got.TLSPort != secure {
		t.Errorf("the ports are %d and %d", got.Port, got.TLSPort)
	}
	// A TLS port is assigned to nobody.
	if err := h.AddDevice("edge-2"); err == nil || !strings.Contains(err.Error(), "no port is left") {
		t.Errorf("another device: %v", err)
	}
	h.Forget("edge-1")
	m.ends()
	for _, port := range []uint16{own, secure} {
		if conn, err := net.Dial("tcp", address(port)); err == nil {
			conn.Close()
			t.Errorf("port %d is still open", port)
		}
	}
}
