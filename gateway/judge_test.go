package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

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
