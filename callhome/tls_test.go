package callhome_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/netconf"
)

// fleet is a CA, a user entry of it, and what devices need to know.
type fleet struct {
	ca   *callhome.TestCA
	user *auth.User
}

func newFleet(t *testing.T) *fleet {
	ca := callhome.NewTestCA(t, "fleet CA")
	return &fleet{ca: ca, user: &auth.User{Name: "fleet", TLS: &auth.UserTLS{
		Certificate: ca.Issue(t, "the gateway", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}),
		Anchors: ca.Anchors(t),
	}}}
}

// startTLS is start for devices that call over TLS.
func startTLS(t *testing.T, o callhome.Options) *server {
	t.Helper()
	s := newServer(t, o)
	run(t, func(ctx context.Context) error { return s.ServeTLS(ctx, s.ln) })
	return s
}

// approving returns options under which the certificate's device is approved.
func (f *fleet) approving(cert tls.Certificate) callhome.Options {
	m := &memory{}
	m.add("edge-1", auth.CertificateIdentity(cert.Leaf))
	return callhome.Options{Users: []*auth.User{f.user}, Memory: m}
}

// versions runs a test with devices of each version of TLS.
func versions(t *testing.T, test func(t *testing.T, version uint16)) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) { test(t, version) })
	}
}

// tlsDevice starts a simulated device of one version.
func tlsDevice(t *testing.T, s *server, version uint16, o devicesim.TLS, more devicesim.Options) *devicesim.Device {
	t.Helper()
	o.MinVersion, o.MaxVersion = version, version
	if o.ClientCAs == nil && !o.NoClientCertificate && !o.RefuseClients {
		o.AnyClient = true
	}
	more.TLS = &o
	return device(t, s, more)
}

func TestTLSDeviceAttaches(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		s := startTLS(t, f.approving(cert))
		var seen authLog
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert, ClientCAs: f.ca.Pool()}, devicesim.Options{OnAuth: seen.add})
		o := s.want(t, callhome.Accepted)
		link := receive(t, s.links, "link")
		if o.Device != "edge-1" || o.User != "fleet" || o.Transport != callhome.TLS || o.Identity != auth.CertificateIdentity(cert.Leaf) {
			t.Errorf("outcome %+v", o)
		}
		if link.Transport() != "tls" || link.Control().Hello().SessionID == 0 {
			t.Errorf("%s, hello %+v", link.Transport(), link.Control().Hello())
		}
		if got := seen.all(); len(got) != 1 || got[0] != "the gateway certificate" {
			t.Errorf("the device saw %v", got)
		}
		if _, err := link.Open(t.Context()); !errors.Is(err, callhome.ErrNoSession) {
			t.Errorf("Open: %v", err)
		}
		if !link.Probe(t.Context()) {
			t.Error("a healthy device is taken for dead")
		}
		if link.Busy() {
			t.Error("an idle device is busy")
		}
	})
}

func TestTLSRejectionsSendNoClientCertificate(t *testing.T) {
	f := newFleet(t)
	foreign := callhome.NewTestCA(t, "foreign CA")
	revoked := f.ca.Issue(t, "edge-1", nil)
	f.user.TLS.Anchors = f.ca.Anchors(t, f.ca.Revoke(t, revoked))
	pinned := callhome.SelfSigned(t, "pinned")
	here := netip.MustParsePrefix("127.0.0.0/8")
	expecting := callhome.Entry{Name: "edge-1", CertificateNames: []string{"edge-1"}, User: f.user}
	at := func(e callhome.Entry) callhome.Entry { e.Address = here; return e }
	for _, tt := range []struct {
		reason callhome.Reason
		entry  callhome.Entry
		cert   tls.Certificate
		named  bool // the outcome names the device
	}{
		{callhome.RejectedPending, callhome.Entry{}, callhome.SelfSigned(t, "x"), false},
		{callhome.RejectedKeyChanged, callhome.Entry{Name: "edge-1", Address: here, Pins: []auth.Identity{auth.CertificateIdentity(pinned.Leaf)}}, callhome.SelfSigned(t, "x"), true},
		{callhome.RejectedRevoked, expecting, revoked, true},
		{callhome.RejectedExpired, expecting, f.ca.Issue(t, "edge-1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), true},
		{callhome.RejectedSelfSigned, expecting, callhome.SelfSigned(t, "edge-1"), true},
		{callhome.RejectedWrongCA, expecting, foreign.Issue(t, "edge-1", nil), true},
		{callhome.RejectedWrongName, at(expecting), f.ca.Issue(t, "edge-2", nil), true},
		{callhome.RejectedUntrusted, callhome.Entry{Name: "edge-1", Address: netip.MustParsePrefix("192.0.2.1/32"), CertificateNames: []string{"edge-1"}, User: f.user}, f.ca.Issue(t, "edge-1", nil), true},
	} {
		t.Run(string(tt.reason), func(t *testing.T) {
			versions(t, func(t *testing.T, version uint16) {
				m := &memory{}
				o := callhome.Options{Users: []*auth.User{f.user}, Memory: m}
				if tt.entry.Name != "" {
					o.Entries = []callhome.Entry{tt.entry}
				}
				s := startTLS(t, o)
				var seen authLog
				tlsDevice(t, s, version, devicesim.TLS{Certificate: tt.cert}, devicesim.Options{OnAuth: seen.add})
				got := s.want(t, tt.reason)
				if got.Identity != auth.CertificateIdentity(tt.cert.Leaf) || (got.Device != "") != tt.named {
					t.Errorf("outcome %+v", got)
				}
				if certificates := seen.all(); len(certificates) != 0 {
					t.Errorf("the device saw a client certificate: %v", certificates)
				}
				if (len(m.pending) == 1) != (tt.reason == callhome.RejectedPending) {
					t.Errorf("pending %+v", m.pending)
				}
			})
		})
	}
}

// garbage signs what it likes: it has a certificate's public key only.
type garbage struct{ public crypto.PublicKey }

func (g garbage) Public() crypto.PublicKey { return g.public }

func (g garbage) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return []byte("a signature that fits nothing"), nil
}

// withoutKeyExchange leaves the ServerKeyExchange out of what a TLS 1.2 server
// sends: each message is a record of its own there.
type withoutKeyExchange struct{ net.Conn }

func (c withoutKeyExchange) Write(p []byte) (int, error) {
	var kept []byte
	for rest := p; len(rest) >= 6; {
		size := 5 + int(rest[3])<<8 + int(rest[4])
		if rest[0] != 22 || rest[5] != 12 {
			kept = append(kept, rest[:size]...)
		}
		rest = rest[size:]
	}
	if _, err := c.Conn.Write(kept); err != nil {
		return 0, err
	}
	return len(p), nil
}

func TestImpostorWithTheVictimsCertificateLeavesNoTrace(t *testing.T) {
	f := newFleet(t)
	victim := f.ca.Issue(t, "victim", nil)
	stranger := callhome.SelfSigned(t, "stranger")
	impostor := func(cert tls.Certificate) tls.Certificate {
		return tls.Certificate{Certificate: cert.Certificate, PrivateKey: garbage{cert.Leaf.PublicKey}}
	}
	for _, tt := range []struct {
		name    string
		version uint16
		wrap    func(net.Conn) net.Conn
	}{
		{"TLS 1.2", tls.VersionTLS12, func(c net.Conn) net.Conn { return c }},
		{"TLS 1.3", tls.VersionTLS13, func(c net.Conn) net.Conn { return c }},
		{"TLS 1.2 without a ServerKeyExchange", tls.VersionTLS12, func(c net.Conn) net.Conn { return withoutKeyExchange{c} }},
	} {
		for _, trust := range []auth.Trust{auth.TrustApprove, auth.TrustFirstUse} {
			for who, cert := range map[string]tls.Certificate{"approved": victim, "unknown": stranger} {
				t.Run(fmt.Sprintf("%s/%s/%s", tt.name, trust, who), func(t *testing.T) {
					o := f.approving(victim)
					o.Trust = trust
					m := o.Memory.(*memory)
					s := startTLS(t, o)
					// The victim is connected: its link must not be probed either.
					tlsDevice(t, s, tt.version, devicesim.TLS{Certificate: victim}, devicesim.Options{})
					s.want(t, callhome.Accepted)

					raw, err := net.Dial("tcp", s.addr)
					if err != nil {
						t.Fatal(err)
					}
					defer raw.Close()
					shown := false
					conn := tls.Server(tt.wrap(raw), &tls.Config{
						Certificates: []tls.Certificate{impostor(cert)}, ClientAuth: tls.RequestClientCert, MaxVersion: tt.version,
						VerifyPeerCertificate: func(certs [][]byte, _ [][]*x509.Certificate) error {
							shown = len(certs) > 0
							return nil
						},
					})
					if err := conn.Handshake(); err == nil {
						_, _ = conn.Read(make([]byte, 1))
					}
					got := s.want(t, callhome.FailedHandshake)
					if !got.Identity.IsZero() || got.Device != "" || got.User != "" {
						t.Errorf("outcome %+v", got)
					}
					if shown {
						t.Error("the impostor saw a client certificate")
					}
					if len(m.pending) != 0 || len(m.devices) != 1 || len(s.Failures()) != 0 {
						t.Errorf("pending %v, devices %v, failures %v", m.pending, m.devices, s.Failures())
					}
				})
			}
		}
	}
}

func TestRefusedClientCertificateIsNotTriedAgain(t *testing.T) {
	f, other := newFleet(t), newFleet(t)
	other.user.Name = "other"
	cert := callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		o := f.approving(cert)
		o.Users = []*auth.User{other.user, f.user}
		s := startTLS(t, o)
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert, ClientCAs: f.ca.Pool()}, devicesim.Options{Reconnect: time.Millisecond})
		if got := s.want(t, callhome.FailedLogin); got.User != "other" || got.Device != "edge-1" {
			t.Errorf("failed with %+v", got)
		}
		if got := s.want(t, callhome.Accepted); got.User != "fleet" {
			t.Errorf("accepted with %s", got.User)
		}
		failures := s.Failures()
		if len(failures) != 1 || failures[0].User != "other" || failures[0].Identity != auth.CertificateIdentity(cert.Leaf) {
			t.Errorf("failures %+v", failures)
		}
	})
}

func TestResetDuringTLSLoginIsNoRefusal(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		s := startTLS(t, f.approving(cert))
		var d atomic.Pointer[devicesim.Device]
		ready := make(chan struct{})
		d.Store(tlsDevice(t, s, version, devicesim.TLS{Certificate: cert}, devicesim.Options{OnAuth: func(string, string) {
			<-ready
			d.Load().Drop()
		}}))
		close(ready)
		if got := s.next(t); got.Reason == callhome.Accepted {
			t.Errorf("outcome %+v", got)
		}
		if failures := s.Failures(); len(failures) != 0 {
			t.Errorf("failures %+v", failures)
		}
	})
}

func TestDeviceThatAsksForNoCertificateIsRejected(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		s := startTLS(t, f.approving(cert))
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert, NoClientCertificate: true}, devicesim.Options{})
		got := s.want(t, callhome.FailedLogin)
		if got.Device != "edge-1" || !strings.Contains(got.Detail, "asks for no client certificate") || len(s.Failures()) != 0 {
			t.Errorf("outcome %+v, failures %v", got, s.Failures())
		}
	})
}

func TestFirstUsePinsACertificate(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		m := &memory{}
		s := startTLS(t, callhome.Options{Users: []*auth.User{f.user}, Memory: m, Trust: auth.TrustFirstUse})
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert}, devicesim.Options{})
		o := s.want(t, callhome.Accepted)
		if d, ok := m.Approved(auth.CertificateIdentity(cert.Leaf)); !ok || d.Name != o.Device || !d.FirstUse {
			t.Errorf("pinned %+v as %s", d, o.Device)
		}
	})
}

func TestRejectedTLSCallIsHeldAndThenTold(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		s := startTLS(t, callhome.Options{Users: []*auth.User{f.user}, RejectDelay: 300 * time.Millisecond})
		ended := make(chan error, 1)
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert}, devicesim.Options{OnDisconnect: func(err error) { ended <- err }})
		o := s.want(t, callhome.RejectedPending)
		told := receive(t, ended, "end of the call")
		// In 1.3 crypto/tls sends no alert where it is given no certificate.
		if version == tls.VersionTLS12 && !strings.Contains(fmt.Sprint(told), "remote error: tls: ") {
			t.Errorf("the device saw %v, not an alert", told)
		}
		if held := time.Since(o.Time); held < 250*time.Millisecond {
			t.Errorf("closed %s after the outcome", held)
		}
	})
}

func TestTLSCallTakesOverFromADeadLink(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	o := f.approving(cert)
	o.ReplyLiveness = true // a loopback peer's TCP never dies
	s := startTLS(t, o)
	first := tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	s.want(t, callhome.Accepted)
	old := receive(t, s.links, "link")
	tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	s.want(t, callhome.RejectedInUse)
	first.Freeze()
	defer first.Thaw()
	tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	receive(t, old.Done(), "end of the old link")
	if s.Link("edge-1") != link {
		t.Error("the new link does not hold the device")
	}
}

func TestLinkOfARevokedCertificateEnds(t *testing.T) {
	f := newFleet(t)
	cert, other := f.ca.Issue(t, "edge-1", nil), f.ca.Issue(t, "edge-2", nil)
	s := startTLS(t, callhome.Options{Users: []*auth.User{f.user}, Entries: []callhome.Entry{
		{Name: "edge-1", CertificateNames: []string{"edge-1"}, User: f.user},
		{Name: "edge-2", CertificateNames: []string{"edge-2"}, User: f.user},
	}})
	tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	tlsDevice(t, s, 0, devicesim.TLS{Certificate: other}, devicesim.Options{})
	s.want(t, callhome.Accepted)
	stays := receive(t, s.links, "link")
	if n := s.EndRevoked(); n != 0 {
		t.Errorf("%d links ended before a revocation", n)
	}
	if err := f.user.TLS.Anchors.SetLists([]*x509.RevocationList{f.ca.Revoke(t, cert)}); err != nil {
		t.Fatal(err)
	}
	if n := s.EndRevoked(); n != 1 {
		t.Errorf("%d links ended", n)
	}
	receive(t, link.Done(), "end of the link")
	if !errors.Is(link.Err(), auth.ErrRevoked) {
		t.Errorf("ended with %v", link.Err())
	}
	if stays.Err() != nil {
		t.Errorf("the other ended: %v", stays.Err())
	}
}

func TestTLSLinkEndsWithCloseNotify(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	s := startTLS(t, f.approving(cert))
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert})
	_, _ = io.WriteString(conn, string((&netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}, SessionID: 1}).Document())+"]]>]]>")
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		read <- err
	}()
	_ = link.Close()
	if err := receive(t, read, "end of the connection"); err != nil {
		t.Errorf("the device saw %v, not close_notify", err)
	}
}

func TestShutdownOfTLSDoesNotWaitForAnybody(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	s := newServer(t, f.approving(cert))
	stop := run(t, func(ctx context.Context) error { return s.ServeTLS(ctx, s.ln) })
	d := tlsDevice(t, s, 0, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	d.Freeze()
	defer d.Thaw()
	silent, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	// Its ClientHello has come: the call is in its handshake.
	if _, err := io.ReadFull(silent, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	receive(t, link.Done(), "end of the link")
}

func TestSilentTLSCallsTakeNoHandshakeSlot(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	o := f.approving(cert)
	o.MaxHandshakes, o.MaxHandshakesPerSource = 2, 2
	s := startTLS(t, o)
	for range 8 {
		silent, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		if _, err := silent.Read(make([]byte, 1)); err != nil { // of the ClientHello
			t.Fatal(err)
		}
	}
	tlsDevice(t, s, tls.VersionTLS13, devicesim.TLS{Certificate: cert}, devicesim.Options{})
	if got := s.want(t, callhome.Accepted); got.Took > time.Second {
		t.Errorf("it took %s", got.Took)
	}
}
