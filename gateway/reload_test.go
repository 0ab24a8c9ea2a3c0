package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

func nothingKnown(string) bool { return false }

// reload gives the gateway other options, which it has to take.
func (h *house) reload(o Options, ended int) {
	h.t.Helper()
	n, err := h.Reload(o, nothingKnown)
	if err != nil {
		h.t.Fatal(err)
	}
	if n != ended {
		h.t.Errorf("the reload has ended %d sessions, want %d", n, ended)
	}
}

// lives reports whether the session still answers.
func lives(t *testing.T, who string, c *channel) {
	t.Helper()
	if got := c.get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("%s got %q", who, got)
	}
}

// endedFor reports a session that has not ended with that sentence.
func endedFor(t *testing.T, who string, c *channel, want string) {
	t.Helper()
	if status, said := c.exit(); status != 1 || !strings.Contains(said, want) {
		t.Errorf("%s: status %d, %q, want %q", who, status, said, want)
	}
}

func closedPort(t *testing.T, port uint16) {
	t.Helper()
	if conn, err := net.Dial("tcp", address(port)); err == nil {
		conn.Close()
		t.Errorf("port %d is open", port)
	}
}

func TestReloadThatChangesNothing(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}}
	h := serve(t, opts).with(t, "edge-1")
	s, own := hello(t, dial(t, opts.Port, "noc@edge-1")), hello(t, dial(t, opts.Devices[0].Port, "noc"))
	listener := h.sockets[opts.Port].listener
	for range 3 {
		h.reload(opts, 0)
	}
	lives(t, "a session on the shared port", s)
	lives(t, "one on the device's", own)
	if h.sockets[opts.Port].listener != listener {
		t.Error("a port was opened again")
	}
}

// Two devices change their ports without a moment in which one is closed.
func TestReloadSwapsPorts(t *testing.T) {
	opts := nocOptions(t)
	a, b := freePort(t), freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: a}, {Name: "edge-2", Port: b}}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	first, second := hello(t, dial(t, a, "noc")), hello(t, dial(t, b, "noc"))
	shared := hello(t, dial(t, opts.Port, "noc@edge-1"))
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: b}, {Name: "edge-2", Port: a}}
	h.reload(opts, 2)
	endedFor(t, "edge-1", first, "this port is no longer the endpoint of device edge-1 over SSH")
	endedFor(t, "edge-2", second, "device edge-2")
	lives(t, "a session on the shared port", shared)
	for port, device := range map[uint16]string{a: "edge-2", b: "edge-1"} {
		if got := hello(t, dial(t, port, "noc")).get(); !strings.Contains(got, "<device>"+device+"<") {
			t.Errorf("port %d: %s", port, got)
		}
	}
	if got := h.Devices(); got[0].Port != b || got[1].Port != a {
		t.Errorf("the ports are %d and %d", got[0].Port, got[1].Port)
	}
}

// A socket goes from SSH to TLS, from a device to all of them, and back.
func TestReloadHandsSocketsOver(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts).with(t, "edge-1")
	overSSH := hello(t, dial(t, opts.Port, "noc@edge-1"))
	overTLS := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	other := opts
	other.Port, other.TLSPort = opts.TLSPort, opts.Port
	h.reload(other, 2)
	endedFor(t, "SSH", overSSH, "this port is no longer the shared endpoint over SSH")
	overTLS.ends()
	lives(t, "over SSH", hello(t, dial(t, other.Port, "noc@edge-1")))
	dialTLS(t, other.TLSPort, "edge-1", p.noc).open().get()

	other.Port, other.TLSPort, other.Domain, other.TLS = 0, 0, "", nil
	other.Devices = []DeviceConfig{{Name: "edge-1", Port: opts.TLSPort}}
	h.reload(other, 2)
	lives(t, "on the device's", hello(t, dial(t, opts.TLSPort, "noc")))
	closedPort(t, opts.Port)
	h.reload(opts, 1)
	lives(t, "over SSH again", hello(t, dial(t, opts.Port, "noc@edge-1")))
}

// A reload that fails changes nothing, even if it is the last of many ports that
// cannot be had.
func TestBadReloadChangesNothing(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}, {Name: "edge-2"}}
	opts.Ports, opts.PortStore = portRange(t, 3), &portMemory{}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	assigned := h.portOf("edge-2")
	sessions := []*channel{
		hello(t, dial(t, opts.Port, "noc@edge-1")), hello(t, dial(t, opts.Devices[0].Port, "noc")), hello(t, dial(t, assigned, "noc")),
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := uint16(taken.Addr().(*net.TCPAddr).Port)
	var fresh []uint16
	var many []DeviceConfig
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		fresh = append(fresh, freePort(t))
		many = append(many, DeviceConfig{Name: name, Port: fresh[len(fresh)-1]})
	}
	sets := opts.PortStore.(*portMemory).sets
	for want, change := range map[string]func(*Options){
		"address already in use": func(o *Options) {
			o.Port, o.Managers, o.Address = fresh[4], nil, netip.MustParseAddr("0.0.0.0")
			o.Ports = PortRange{}
			o.Devices = append(slices.Clone(many[:4]), DeviceConfig{Name: "edge-1", Port: opts.Port}, DeviceConfig{Name: "z", Port: busy})
		},
		"no device name": func(o *Options) { o.Devices = append(many, DeviceConfig{Name: "A b"}) },
		"defined twice":  func(o *Options) { o.Managers = append(slices.Clone(o.Managers), o.Managers[0]) },
		"no host key":    func(o *Options) { o.HostKeys = nil },
	} {
		bad := opts
		change(&bad)
		if _, err := h.Reload(bad, nothingKnown); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
		for _, s := range sessions {
			lives(t, "after "+want, s)
		}
		for _, port := range fresh {
			closedPort(t, port)
		}
	}
	for _, port := range []uint16{opts.Devices[0].Port, assigned} {
		hello(t, dial(t, port, "noc")).Close()
	}
	hello(t, dial(t, opts.Port, "admin@edge-1")).Close()
	if got := h.Devices(); len(got) != 2 || got[1].Port != assigned {
		t.Errorf("the devices are %+v", got)
	}
	if n := opts.PortStore.(*portMemory).sets; n != sets {
		t.Error("assignments were stored")
	}
}

// Every kind of change ends exactly the sessions that it must.
func TestWhatAReloadEnds(t *testing.T) {
	hash := func(word string) string {
		hash, err := bcrypt.GenerateFromPassword([]byte(word), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	}
	// change returns options with other managers, the first of which is noc.
	managers := func(change func(noc *auth.Manager)) func(*Options) {
		return func(o *Options) {
			o.Managers = slices.Clone(o.Managers)
			change(&o.Managers[0])
		}
	}
	device := func(change func(*DeviceConfig)) func(*Options) {
		return func(o *Options) {
			o.Devices = slices.Clone(o.Devices)
			change(&o.Devices[0])
		}
	}
	gone := "no longer configured"
	for _, c := range []struct {
		name   string
		change func(*Options)
		// ended are the sessions that end, with a part of the sentence.
		ended map[string]string
	}{
		{"nothing", func(*Options) {}, nil},
		{"manager removed", func(o *Options) { o.Managers = o.Managers[1:] },
			map[string]string{"password": gone, "key": gone, "cert": gone, "own": gone, "tls": ""}},
		{"password changed", managers(func(m *auth.Manager) { m.PasswordHash = hash("other") }),
			map[string]string{"password": "the password of manager noc was changed", "own": "password"}},
		{"password removed", managers(func(m *auth.Manager) { m.PasswordHash = "" }), map[string]string{"password": "password", "own": "password"}},
		{"key removed", managers(func(m *auth.Manager) { m.AuthorizedKeys = nil }), map[string]string{"key": "the key is no longer authorized for manager noc"}},
		{"CA removed", func(o *Options) { o.UserCAs = nil }, map[string]string{"cert": "the certificate is no longer accepted for manager noc"}},
		{"principals changed", managers(func(m *auth.Manager) { m.Principals = []string{"somebody"} }), map[string]string{"cert": "certificate"}},
		{"devices changed", managers(func(m *auth.Manager) { m.Devices = []string{"edge-2"} }),
			map[string]string{"password": "manager noc may no longer reach device edge-1", "key": "edge-1", "cert": "edge-1", "own": "edge-1", "tls": ""}},
		{"access changed", managers(func(m *auth.Manager) { m.Access.ReadOnly = true }), nil},
		{"network denied", func(o *Options) { o.Networks.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")} },
			map[string]string{"far": "connections from 127.0.0.9 are no longer accepted"}},
		{"proxies changed", func(o *Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")} }, map[string]string{"far": "proxies"}},
		{"TLS CA changed", func(o *Options) {
			anchors, err := auth.NewAnchors([]*x509.Certificate{newAuthority(t, "others").cert}, nil)
			if err != nil {
				t.Fatal(err)
			}
			tls := *o.TLS
			tls.Anchors = anchors
			o.TLS = &tls
		}, map[string]string{"tls": ""}},
		{"cert-to-name changed", func(o *Options) {
			tls := *o.TLS
			tls.Names = &auth.CertNames{}
			o.TLS = &tls
		}, map[string]string{"tls": ""}},
		{"certificate of another manager", func(o *Options) {
			o.Managers = slices.Clone(o.Managers)
			o.Managers[0].CertificateNames, o.Managers[1].CertificateNames = nil, []string{"noc.example.net"}
		}, map[string]string{"tls": ""}},
		{"domain changed", func(o *Options) { o.Domain = "gw.example.org" }, map[string]string{"tls": ""}},
		{"device's port closed", device(func(d *DeviceConfig) { d.Port = 0 }), map[string]string{"own": "no longer the endpoint of device edge-1 over SSH"}},
		{"sharing changed", device(func(d *DeviceConfig) { d.Sessions = SessionsShared }), map[string]string{
			"password": "how managers share device edge-1 was changed", "key": "share", "cert": "share", "own": "share", "tls": "", "far": "share"}},
		{"sharing written down", device(func(d *DeviceConfig) { d.Sessions = SessionsOwn }), nil},
		{"sharing of all", func(o *Options) { o.Sessions = SessionsExclusive }, map[string]string{
			"password": "how managers share device edge-1 was changed", "key": "share", "cert": "share", "own": "share", "tls": "", "far": "share", "other": "share device edge-2"}},
		{"device removed", func(o *Options) { o.Devices = o.Devices[1:] }, map[string]string{
			"password": "device edge-1 has been removed", "key": "removed", "cert": "removed", "own": "removed", "tls": "", "far": "removed"}},
		{"address widened", func(o *Options) { o.Address = netip.MustParseAddr("0.0.0.0") }, nil},
		{"address changed", func(o *Options) { o.Address = netip.MustParseAddr("127.0.0.2") }, map[string]string{
			"password": "no longer listens on this address", "key": "listens", "cert": "listens", "own": "listens", "tls": "", "far": "listens", "other": "listens"}},
		{"other bounds", func(o *Options) { o.MaxSessions, o.Wait, o.IdleClose = 1, 5, -1 }, nil},
		{"host key changed", func(o *Options) { o.HostKeys = []ssh.Signer{signer(t, 77)} }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts, p := tlsOptions(t)
			ca := signer(t, 50)
			opts.UserCAs = []ssh.PublicKey{ca.PublicKey()}
			opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}, {Name: "edge-2"}}
			h := serve(t, opts).with(t, "edge-1", "edge-2")
			by := func(user string, method ssh.AuthMethod, from string) *channel {
				config := password(user, "")
				config.Auth = []ssh.AuthMethod{method}
				return hello(t, dialWith(t, opts.Port, from, config))
			}
			sessions := map[string]*channel{
				"password": hello(t, dial(t, opts.Port, "noc@edge-1")),
				"key":      by("noc@edge-1", ssh.PublicKeys(signer(t, 2)), "127.0.0.1"),
				"cert":     by("noc@edge-1", ssh.PublicKeys(certify(t, ca, signer(t, 9), nil)), "127.0.0.1"),
				"own":      hello(t, dial(t, opts.Devices[0].Port, "noc")),
				"far":      by("admin@edge-1", ssh.Password("right"), "127.0.0.9"),
				"other":    hello(t, dial(t, opts.Port, "admin@edge-2")),
			}
			overTLS := dialTLS(t, opts.TLSPort, "edge-1", p.alias).open()
			c.change(&opts)
			h.reload(opts, len(c.ended))
			for name, s := range sessions {
				if sentence, ends := c.ended[name]; ends {
					endedFor(t, name, s, sentence)
				} else {
					lives(t, name, s)
				}
			}
			if _, ends := c.ended["tls"]; ends {
				overTLS.ends()
			} else if got := overTLS.get(); !strings.Contains(got, "<ok/>") {
				t.Errorf("over TLS: %q", got)
			}
			overTLS.Close()
			h.stop()
			for _, line := range h.log.linesWith("a manager session ends") {
				if !strings.Contains(line, "reason=") {
					t.Errorf("no reason: %s", line)
				}
			}
		})
	}
}

// dialWith connects from an address.
func dialWith(t *testing.T, port uint16, from string, config *ssh.ClientConfig) *ssh.Client {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address(port), config)
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(c, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client
}

// A device that the configuration no longer names stays if it is known otherwise.
func TestReloadKeepsDevicesThatAreKnown(t *testing.T) {
	opts := nocOptions(t)
	opts.Ports, opts.PortStore = portRange(t, 3), &portMemory{}
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}, {Name: "edge-2", Port: freePort(t)}}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	stays, goes := hello(t, dial(t, opts.Port, "noc@edge-1")), hello(t, dial(t, opts.Port, "noc@edge-2"))
	var asked []string
	opts.Devices = nil
	if n, err := h.Reload(opts, func(name string) bool {
		asked = append(asked, name)
		return name == "edge-1"
	}); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	if slices.Sort(asked); !slices.Equal(asked, []string{"edge-1", "edge-2"}) {
		t.Errorf("asked about %q", asked)
	}
	lives(t, "edge-1", stays)
	endedFor(t, "edge-2", goes, "device edge-2 has been removed")
	if h.known("edge-2") != nil {
		t.Error("edge-2 is still known")
	}
	port := h.portOf("edge-1")
	if port < opts.Ports.First || port > opts.Ports.Last {
		t.Errorf("edge-1 has port %d", port)
	}
	lives(t, "on the assigned port", hello(t, dial(t, port, "noc")))
}

// Assigned ports follow the range, and make way for configured ones.
func TestAssignedPortsFollowAReload(t *testing.T) {
	store := &portMemory{}
	opts := nocOptions(t)
	all := portRange(t, 6)
	opts.Ports, opts.PortStore = PortRange{all.First, all.First + 2}, store
	h := serve(t, opts).with(t, "edge-1")
	first := h.portOf("edge-1")
	h.with(t, "edge-2")
	second := h.portOf("edge-2")
	a, b := hello(t, dial(t, first, "noc")), hello(t, dial(t, second, "noc"))

	// The port of the one is configured for a third device by now.
	opts.Devices = []DeviceConfig{{Name: "edge-3", Port: first}}
	h.reload(opts, 1)
	endedFor(t, "edge-1", a, "no longer the endpoint of device edge-1")
	lives(t, "edge-2", b)
	moved := h.portOf("edge-1")
	if moved == first || moved == second || moved < opts.Ports.First || moved > opts.Ports.Last {
		t.Errorf("edge-1 has moved from port %d to %d", first, moved)
	}
	if got := store.ports[moved]; got.Device != "edge-1" || got.Forgotten {
		t.Errorf("stored is %+v", got)
	}

	// Another range.
	opts.Ports = PortRange{all.First + 3, all.Last}
	h.reload(opts, 1)
	endedFor(t, "edge-2", b, "no longer the endpoint of device edge-2")
	for _, name := range []string{"edge-1", "edge-2"} {
		if port := h.portOf(name); port < opts.Ports.First || port > opts.Ports.Last {
			t.Errorf("%s has port %d", name, port)
		}
	}
	closedPort(t, second)
	now := map[string]uint16{"edge-1": h.portOf("edge-1"), "edge-2": h.portOf("edge-2")}

	// None, and the same again.
	none := opts
	none.Ports = PortRange{}
	h.reload(none, 0)
	if e := h.known("edge-1").endpointNow(callhome.SSH); e != nil {
		t.Errorf("edge-1 has port %d without a range", e.port)
	}
	h.reload(opts, 0)
	h.stop()
	again := serve(t, opts)
	for name, port := range now {
		if h.portOf(name) != port || again.portOf(name) != port {
			t.Errorf("%s has port %d, and %d after a restart, want %d", name, h.portOf(name), again.portOf(name), port)
		}
	}
}

// slowSigner signs when it may.
type slowSigner struct {
	ssh.AlgorithmSigner
	asked, may chan struct{}
}

func (s slowSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	close(s.asked)
	<-s.may
	return s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
}

// The gateway has said that it takes the key, the reload removes it, and then the
// manager signs with it.
func TestLoginThatWasDecidedBeforeTheReload(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	slow := slowSigner{signer(t, 2).(ssh.AlgorithmSigner), make(chan struct{}), make(chan struct{})}
	config := password("noc@edge-1", "")
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(slow)}
	ended := make(chan error)
	go func() {
		client, err := ssh.Dial("tcp", address(opts.Port), config)
		if err == nil {
			err = client.Wait()
		}
		ended <- err
	}()
	<-slow.asked
	opts.Managers = slices.Clone(opts.Managers)
	opts.Managers[0].AuthorizedKeys = nil
	h.reload(opts, 0)
	close(slow.may)
	<-ended
	h.stop()
	if log := h.log.linesWith("a manager's connection is ended"); len(log) != 1 || !strings.Contains(log[0], "the manager's key is no longer authorized") {
		t.Errorf("the log has %q", log)
	}
}

// A login that is complete while the reload looks who is there is found, whichever
// comes first.
func TestLoginDuringAReload(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	h.visitors.mu.Lock() // which holds both up
	client := dial(t, opts.Port, "noc@edge-1")
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc)
	eventually(t, "logins", func() bool { return len(h.log.linesWith("has logged in")) == 2 })
	opts.Managers = opts.Managers[1:]
	before, reloaded := h.Gateway.opts(), make(chan error)
	go func() {
		_, err := h.Reload(opts, nothingKnown)
		reloaded <- err
	}()
	eventually(t, "other options", func() bool { return h.Gateway.opts() != before })
	h.visitors.mu.Unlock()
	if err := <-reloaded; err != nil {
		t.Fatal(err)
	}
	_ = client.Wait()
	m.ends()
}

// A reload that leaves no TLS endpoint has other options in force before the
// endpoint ends: who is in between is turned away.
func TestTLSLoginWhileTheLastEndpointGoes(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	h.visitors.mu.Lock() // which holds the login up
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc)
	eventually(t, "login", func() bool { return len(h.log.linesWith("has logged in")) == 1 })
	opts.TLS, opts.TLSPort = nil, 0
	d := h.known("edge-1")
	d.mu.Lock() // which holds the reload up
	before, reloaded := h.Gateway.opts(), make(chan error)
	go func() {
		_, err := h.Reload(opts, nothingKnown)
		reloaded <- err
	}()
	eventually(t, "other options", func() bool { return h.Gateway.opts() != before })
	h.visitors.mu.Unlock()
	ended := func() bool {
		v := h.visitors.now()
		return len(v) == 1 && v[0].(*tlsSession).ctx.Err() != nil
	}
	eventually(t, "end of the session", ended)
	d.mu.Unlock()
	if err := <-reloaded; err != nil {
		t.Fatal(err)
	}
	m.ends()

	server, client := net.Pipe()
	defer client.Close()
	go func() { _ = tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake() }()
	e := h.newEndpoint(configuredPort{transport: callhome.TLS})
	if v := e.loginTLS(h.Gateway.opts(), server, netip.AddrPort{}); v != nil {
		t.Error("a manager is let in without TLS options")
	}
}

// waits returns a manager that waits for a device that is away, and what is closed
// when it has its answer.
func (h *house) waits(user string) (c *channel, answered <-chan struct{}) {
	h.t.Helper()
	c = openChannel(h.t, dial(h.t, h.opts.Port, user))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{"netconf"}))
	}()
	eventually(h.t, "manager that waits", func() bool {
		for _, v := range h.visitors.now() {
			if ssh, ok := v.(*sshConn); ok && ssh.login() == user && ssh.hasAsked() {
				return true
			}
		}
		return false
	})
	return c, done
}

// hasAsked reports whether a channel has asked for its subsystem.
func (c *sshConn) hasAsked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		if s.early.wasAsked(0) {
			return true
		}
	}
	return false
}

// Managers that are connected, but have no session, are judged as well.
func TestReloadEndsConnectionsWithoutASession(t *testing.T) {
	opts := nocOptions(t)
	opts.Wait = time.Minute
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts)
	idle, stays := dial(t, opts.Port, "noc@edge-1"), dial(t, opts.Port, "admin@edge-1")
	waiting, asked := h.waits("noc@edge-1")
	eventually(t, "other managers", func() bool { return len(h.visitors.now()) == 3 })
	opts.Managers = opts.Managers[1:]
	h.reload(opts, 1)
	_ = idle.Wait()
	<-asked
	endedFor(t, "who waits", waiting, "manager noc is no longer configured")
	h.with(t, "edge-1")
	lives(t, "another manager", hello(t, stays))
}

// What has several reasons to end does so once, for the first.
func TestReloadEndsAConnectionOnce(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}}
	h := serve(t, opts).with(t, "edge-1")
	c := hello(t, dial(t, opts.Devices[0].Port, "noc"))
	opts.Devices, opts.Managers = nil, opts.Managers[1:]
	h.reload(opts, 1)
	endedFor(t, "a session", c, "device edge-1 has been removed")
	h.stop()
	if also := h.log.linesWith("a manager's connection is ended"); len(also) != 0 {
		t.Errorf("the log has %q as well", also)
	}
}

// One session that is shared cannot become exclusive: its link ends too.
func TestExclusiveUseEndsTheLink(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts)
	l := newFakeLink(1, nil)
	l.over = callhome.TLS
	h.attach("edge-1", l)
	s := hello(t, dial(t, opts.Port, "noc@edge-1"))
	opts.Sessions = SessionsShared // as it is already
	h.reload(opts, 0)
	lives(t, "the session", s)
	opts.Sessions = SessionsExclusive
	h.reload(opts, 1)
	endedFor(t, "the session", s, "how managers share device edge-1 was changed")
	<-l.Done()
	if err := l.Err(); err != errSharedOtherwise {
		t.Errorf("the link ended: %v", err)
	}
}

// What a manager may ask for changes for the session that it has.
func TestAccessFollowsAReload(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	s := hello(t, dial(t, opts.Port, "noc@edge-1"))
	edit := func() string {
		write(t, s.conn, rpc(1, "<edit-config><target><running/></target><config/></edit-config>"))
		return read(t, s.conn)
	}
	for _, readOnly := range []bool{false, true, false} {
		opts.Managers = slices.Clone(opts.Managers)
		opts.Managers[0].Access.ReadOnly = readOnly
		h.reload(opts, 0)
		if got := edit(); strings.Contains(got, "access-denied") != readOnly {
			t.Errorf("read-only %t: %s", readOnly, got)
		}
	}
}

// The lists of new anchors count for those who came by the old ones.
func TestRevocationAfterAReload(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	m := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	anchors, err := auth.NewAnchors([]*x509.Certificate{p.ca.cert}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tls := *opts.TLS
	tls.Anchors, opts.TLS = anchors, &tls
	h.reload(opts, 0)
	if err := anchors.SetLists([]*x509.RevocationList{p.ca.revoke(p.noc)}); err != nil {
		t.Fatal(err)
	}
	if n := h.EndRevoked(); n != 1 {
		t.Errorf("%d sessions were ended", n)
	}
	m.ends()
}

// A certificate that has expired since the login ends nothing, but the loss of its
// CA does.
func TestExpiryIsNotTheChangesConcern(t *testing.T) {
	opts, p := tlsOptions(t)
	set, err := newSettings(opts)
	if err != nil {
		t.Fatal(err)
	}
	now, err := set.with(opts)
	if err != nil {
		t.Fatal(err)
	}
	came := time.Now().Add(-30 * time.Minute)
	expired := p.ca.issue("noc", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = came.Add(-time.Minute), came.Add(time.Minute) })
	g := &Gateway{ctx: t.Context()}
	server, client := net.Pipe()
	defer server.Close()
	defer client.Close()
	c := &managerConn{
		e: g.newEndpoint(configuredPort{transport: callhome.TLS}), conn: server, grant: grant{"noc", "edge-1"},
		shown: credential{certificates: []*x509.Certificate{expired.Leaf}, serverName: "edge-1.gw.example.net"},
		since: came,
	}
	defer c.e.cancel()
	if why := newJudge(set, now).judge(c); why != nil {
		t.Errorf("it ends: %v, %v", why, why.detail)
	}
	other, err := auth.NewAnchors([]*x509.Certificate{newAuthority(t, "others").cert}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now.TLS.Anchors = other
	if why := newJudge(set, now).judge(c); why == nil || !errors.Is(why.detail, auth.ErrUnknownCA) {
		t.Errorf("without its CA: %v", why)
	}
}

// Ports that overlap with those of the old address make room for the new ones,
// and come back when one of them cannot be had.
func TestAddressThatCannotBeHad(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}}
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", opts.Devices[0].Port))
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, opts).with(t, "edge-1")
	s := hello(t, dial(t, opts.Devices[0].Port, "noc"))
	wide := opts
	wide.Address = netip.MustParseAddr("0.0.0.0")
	if _, err := h.Reload(wide, nothingKnown); err == nil || !strings.Contains(err.Error(), "device edge-1 over SSH") {
		t.Errorf("error %v", err)
	}
	lives(t, "a session on the old address", s)
	hello(t, dial(t, opts.Port, "noc@edge-1")).Close()
	hello(t, dial(t, opts.Devices[0].Port, "noc")).Close()
	taken.Close()
	h.reload(wide, 0)
	lives(t, "a session on the old address", s)
	for _, port := range []uint16{opts.Port, opts.Devices[0].Port} {
		dialWith(t, port, "127.0.0.3", password(map[bool]string{true: "noc@edge-1", false: "noc"}[port == opts.Port], "right"))
	}
}

// silentListener is a socket that nobody connects to.
type silentListener struct{ closed chan struct{} }

func (l silentListener) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l silentListener) Close() error {
	close(l.closed)
	return nil
}

func (l silentListener) Addr() net.Addr { return &net.TCPAddr{} }

// Of ten thousand ports a reload opens and closes only those that change.
func TestReloadOfManyDevices(t *testing.T) {
	const many = 10000
	opts := nocOptions(t)
	var opened atomic.Int64
	opts.Listen = func(netip.Addr, uint16) (net.Listener, error) {
		opened.Add(1)
		return silentListener{make(chan struct{})}, nil
	}
	opts.Ports, opts.PortStore = PortRange{40000, 40000 + many}, &portMemory{}
	for i := range many / 2 {
		opts.Devices = append(opts.Devices, DeviceConfig{Name: fmt.Sprintf("edge-%d", i), Port: uint16(20000 + i)})
	}
	h := serve(t, opts)
	for i := range many / 2 {
		if err := h.AddDevice(fmt.Sprintf("dev-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	before := opened.Load()
	begin := time.Now()
	h.reload(opts, 0)
	t.Logf("nothing changed: %v", time.Since(begin))
	opts.Devices = slices.Clone(opts.Devices)
	opts.Devices[7].Port = 30000
	opts.Devices = opts.Devices[:many/2-1]
	begin = time.Now()
	h.reload(opts, 0)
	t.Logf("one moved, one removed: %v", time.Since(begin))
	if n := opened.Load() - before; n != 1 {
		t.Errorf("%d ports were opened", n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.sockets); n != many {
		t.Errorf("there are %d ports", n)
	}
}

// A device that is forgotten has none of the ports that it ever had, not even when
// the range is again what it was.
func TestForgottenDevicesHaveNoPortOfAnyRange(t *testing.T) {
	store := &portMemory{}
	opts := nocOptions(t)
	all := portRange(t, 4)
	opts.Ports, opts.PortStore = PortRange{all.First, all.First + 1}, store
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts).with(t, "edge-1")
	h.portOf("edge-1")
	other := opts
	other.Ports = PortRange{all.First + 2, all.Last}
	h.reload(other, 0)
	other.Devices = nil
	h.reload(other, 0)
	opts.Devices = nil
	h.reload(opts, 0)
	if h.ports.has("edge-1") {
		t.Error("a device that is gone has a port")
	}
	for port, a := range store.ports {
		if !a.Forgotten {
			t.Errorf("port %d is still that of %s", port, a.Device)
		}
	}
}

// Reloads while managers come and go: those whom no change concerns notice nothing,
// and nobody stays whom the last one keeps out.
func TestReloadsUnderLoad(t *testing.T) {
	opts := nocOptions(t)
	a, b := freePort(t), freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: a}, {Name: "edge-2", Port: b}}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	stays := hello(t, dial(t, opts.Port, "admin@edge-1"))
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for _, port := range []uint16{opts.Port, a, b} {
		busy.Go(func() {
			for ctx.Err() == nil {
				user := map[bool]string{true: "noc@edge-1", false: "noc"}[port == opts.Port]
				if client, err := ssh.Dial("tcp", address(port), password(user, "right")); err == nil {
					if ch, requests, err := client.OpenChannel("session", nil); err == nil {
						go ssh.DiscardRequests(requests)
						_, _ = ch.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{"netconf"}))
					}
					client.Close()
				}
			}
		})
	}
	for i := range 100 {
		next := opts
		switch i % 4 {
		case 1:
			next.Devices = []DeviceConfig{{Name: "edge-1", Port: b}, {Name: "edge-2", Port: a}}
		case 2:
			next.Managers = opts.Managers[1:]
		case 3:
			next.Networks.Deny = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			next.Devices = []DeviceConfig{{Name: "edge-1", Port: a}, {Name: "edge-2"}}
		}
		if _, err := h.Reload(next, nothingKnown); err != nil {
			t.Fatal(err)
		}
		lives(t, "an unconcerned session", stays)
	}
	last := opts
	last.Managers = opts.Managers[1:]
	if _, err := h.Reload(last, nothingKnown); err != nil {
		t.Fatal(err)
	}
	cancel()
	busy.Wait()
	eventually(t, "end of the others", func() bool { return len(h.visitors.now()) == 1 })
	lives(t, "an unconcerned session", stays)
}

// A session that is being opened while its device is to be shared otherwise.
func TestSharingChangesWhileASessionOpens(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts)
	opening, open := make(chan struct{}), make(chan struct{})
	l := newFakeLink(1, func(_ context.Context, id uint32) (session, error) {
		close(opening)
		<-open
		s, _ := newPipeSession(id, netconf.Chunked)
		return s, nil
	})
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	ch := openChannel(t, dial(t, opts.Port, "noc@edge-1"))
	ch.ask("subsystem", "netconf")
	<-opening
	opts.Sessions = SessionsShared
	h.reload(opts, 0)
	close(open)
	endedFor(t, "the session", ch, "how managers share device edge-1 was changed")
	lives(t, "another try", hello(t, dial(t, opts.Port, "noc@edge-1")))
}
