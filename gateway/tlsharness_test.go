package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
)

// pki is what the TLS tests log in with.
type pki struct {
	ca                                   *authority
	noc, admin, alias, stranger, revoked tls.Certificate
	expired, server, pinned              tls.Certificate
}

// tlsOptions are nocOptions with a shared TLS port. The common names of
// certificates of its CA are names of managers; "pinned" is known by itself.
func tlsOptions(t testing.TB) (Options, *pki) {
	t.Helper()
	ca := newAuthority(t, "managers")
	p := &pki{
		ca: ca, noc: ca.issue("noc"), admin: ca.issue("admin"), alias: ca.issue("noc.example.net"),
		stranger: ca.issue("stranger"), revoked: ca.issue("noc"), pinned: selfSigned(t, "whatever"),
		expired: ca.issue("noc", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}),
		server: ca.issue("noc", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
	}
	anchors, err := auth.NewAnchors([]*x509.Certificate{ca.cert}, []*x509.RevocationList{ca.revoke(p.revoked)})
	if err != nil {
		t.Fatal(err)
	}
	names, err := auth.NewCertNames([]auth.CertMap{
		{Fingerprint: fingerprint(p.pinned.Leaf), Type: auth.CertMapSpecified, Name: "noc"},
		{Fingerprint: fingerprint(ca.cert), Type: auth.CertMapCommonName},
	})
	if err != nil {
		t.Fatal(err)
	}
	own := selfSigned(t, "the gateway")
	opts := nocOptions(t)
	opts.TLSPort, opts.Domain = freePort(t), "GW.example.net."
	opts.Managers[0].CertificateNames = []string{"noc.example.net"}
	opts.TLS = &TLSOptions{
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil },
		Anchors:     anchors, Names: names,
	}
	return opts, p
}

// tlsManager is a manager's TLS connection.
type tlsManager struct {
	*tls.Conn
	t    testing.TB
	conn *netconf.Conn
}

// tryTLS connects as a manager with these certificates. In TLS 1.3 it succeeds
// whatever the gateway thinks of them.
func tryTLS(t testing.TB, port uint16, config *tls.Config) (*tlsManager, error) {
	t.Helper()
	config = config.Clone()
	config.InsecureSkipVerify = true
	c, err := tls.Dial("tcp", address(port), config)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &tlsManager{Conn: c, t: t, conn: netconf.NewConn(c)}, nil
}

func dialTLS(t testing.TB, port uint16, device string, cert tls.Certificate) *tlsManager {
	t.Helper()
	m, err := tryTLS(t, port, &tls.Config{ServerName: device + ".gw.example.net", Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatalf("connecting to %s: %v", device, err)
	}
	return m
}

// hello exchanges hellos, or says why the gateway did not.
func (m *tlsManager) hello() error { return exchangeHellos(m.conn) }

// open opens a NETCONF session with the device.
func (m *tlsManager) open() *tlsManager {
	m.t.Helper()
	if err := m.hello(); err != nil {
		m.t.Fatalf("exchanging hellos: %v", err)
	}
	return m
}

// get returns the reply to a small rpc.
func (m *tlsManager) get() string {
	m.t.Helper()
	write(m.t, m.conn, rpc(1, "<get/>"))
	return read(m.t, m.conn)
}

// ends waits for close_notify: a connection that just ends is another error.
func (m *tlsManager) ends() {
	m.t.Helper()
	if _, err := m.Conn.Read(make([]byte, 1)); err != io.EOF {
		m.t.Errorf("the connection ended with %v, want close_notify", err)
	}
	m.Close()
}

// refusedByAlert reports whether the error is an alert, which is all that a manager
// is told.
func refusedByAlert(err error) bool {
	return err != nil && !errors.Is(err, io.EOF) && strings.Contains(err.Error(), "remote error: tls: ")
}
