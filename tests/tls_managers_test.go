package tests

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// tlsSimulatorLab is a gateway with a simulator on it over TLS, as edge-1.
func tlsSimulatorLab(t *testing.T, c harness.Config, o devicesim.Options, session ...string) *lab {
	t.Helper()
	return newLab(t, harness.NewSimulatedDevice(t, o), c, session...)
}

func TestAManagersCertificateDecidesWhetherItComesIn(t *testing.T) {
	t.Parallel()
	pki := harness.NewPKI(t)
	issue := func(s harness.Subject) harness.Certificate { return pki.Managers.Issue(t, s) }
	revoked := issue(harness.Subject{CommonName: "noc"})
	crl := pki.Managers.NewCRL(t, revoked)
	l := tlsSimulatorLab(t, harness.Config{
		PKI: pki, TLS: append(append(pki.ServerLines(), pki.MapLines()...), fmt.Sprintf("crl = [%q]", crl)),
		Blocks: []string{managerBlock("guest", "core-*"), managerBlock("noc-2", "edge-1")},
	}, devicesim.Options{})
	between := pki.Managers.Intermediate(t, "CA between")
	for name, test := range map[string]struct {
		certificate harness.Certificate
		ok          bool
	}{
		"the manager's":            {pki.Manager, true},
		"another manager's":        {issue(harness.Subject{CommonName: "noc-2"}), true},
		"of an intermediate":       {between.Issue(t, harness.Subject{CommonName: "noc"}), true},
		"none":                     {harness.Certificate{}, false},
		"of nobody":                {issue(harness.Subject{CommonName: "nobody"}), false},
		"without a name":           {issue(harness.Subject{}), false},
		"without the device":       {issue(harness.Subject{CommonName: "guest"}), false},
		"expired":                  {issue(harness.Subject{CommonName: "noc", NotAfter: time.Now().Add(-time.Hour)}), false},
		"not yet valid":            {issue(harness.Subject{CommonName: "noc", NotBefore: time.Now().Add(time.Hour)}), false},
		"revoked":                  {revoked, false},
		"self-signed":              {harness.SelfSigned(t, harness.Subject{CommonName: "noc"}), false},
		"of another CA":            {harness.NewCA(t, "other").Issue(t, harness.Subject{CommonName: "noc"}), false},
		"of a CA with the name":    {harness.NewCA(t, "CA of the managers").Issue(t, harness.Subject{CommonName: "noc"}), false},
		"for servers":              {issue(harness.Subject{CommonName: "noc", Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}), false},
		"with somebody else's key": {withKey(pki.Manager, harness.SelfSigned(t, harness.Subject{})), false},
	} {
		for versionName, version := range tlsVersions {
			for port, target := range map[string]harness.TLSTarget{"own": l.edge1TLS(), "shared": l.SharedTLSTarget("edge-1")} {
				target.Certificate, target.Version = test.certificate, version
				mayConnect(t, fmt.Sprintf("%s, TLS %s, %s port", name, versionName, port), target, test.ok)
			}
		}
	}
}

// withKey is what somebody shows who has seen a certificate.
func withKey(c, other harness.Certificate) harness.Certificate {
	c.TLS.PrivateKey = other.TLS.PrivateKey
	return c
}

func managerBlock(name string, devices string, more ...string) string {
	return fmt.Sprintf("manager %q {\n  password_hash = %q\n  devices = [%q]\n  %s\n}\n", name,
		"$2a$12$OFNXICYPFRxSEH.qSyyz8e/BmSHc2a6ZfuBj8j6mpWe5NsWbLPJ8O", devices, strings.Join(more, "\n  "))
}

func mayConnect(t *testing.T, name string, target harness.TLSTarget, ok bool) {
	t.Helper()
	s, err := harness.TryConnectTLS(target, harness.Base11)
	if err == nil {
		s.Close()
	}
	if (err == nil) != ok {
		t.Errorf("%s: %v", name, err)
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() || errors.Is(err, harness.ErrTimeout) {
		t.Errorf("%s: it is not told", name)
	}
}

func TestADeviceOverTLSIsShownAsSuch(t *testing.T) {
	t.Parallel()
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{})
	harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
	stdout, stderr, code := l.Run(t, "device", "list", "--json")
	var shown []control.Device
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || code != 0 || len(shown) != 1 {
		t.Fatalf("status %d, %v: %s%s", code, err, stdout, stderr)
	}
	d := shown[0]
	if d.Transport != "tls" || d.Identity != l.device.Identity() || d.TLSPort != deviceTLSPort || d.Port != devicePort || d.Managers != 1 {
		t.Errorf("it is shown as %s", stdout)
	}
}

func TestSNINamesTheDeviceOnTheSharedPort(t *testing.T) {
	t.Parallel()
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{})
	for name, ok := range map[string]bool{
		"edge-1.gw.test": true, "EDGE-1.GW.Test": true,
		"edge-9.gw.test": false, "edge-1": false, "edge-1.example": false, "gw.test": false, "edge-1.gw.test.gw.test": false, "": false,
	} {
		target := l.SharedTLSTarget("edge-1")
		target.ServerName = name
		s, err := connectAnyServer(target)
		if err == nil {
			s.Close()
		}
		if (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// connectAnyServer opens a session, whatever name the server's certificate has.
func connectAnyServer(target harness.TLSTarget) (*harness.Session, error) {
	conn, err := tls.Dial("tcp", target.Address, &tls.Config{
		ServerName: target.ServerName, InsecureSkipVerify: true, Certificates: []tls.Certificate{target.Certificate.TLS},
	})
	if err != nil {
		return nil, err
	}
	s := harness.NewSession(conn)
	if err := s.Open(harness.ReplyTimeout, harness.Base11); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func TestEachWayToMapACertificateToAManagerWorks(t *testing.T) {
	t.Parallel()
	pki := harness.NewPKI(t)
	pinned := harness.SelfSigned(t, harness.Subject{CommonName: "whoever"})
	lines := append(pki.ServerLines(), harness.CertToName(mapFingerprint(pinned), "specified", "ops"))
	certificates := map[string]harness.Certificate{"a pinned certificate": pinned}
	var cas []*harness.CA
	for mapType, subject := range map[string]harness.Subject{
		"specified":       {CommonName: "whoever"},
		"common-name":     {CommonName: "ops"},
		"san-rfc822-name": {Emails: []string{"ops@Example.NET"}},
		"san-dns-name":    {DNS: []string{"Ops.example.net"}},
		"san-ip-address":  {IPs: []net.IP{net.ParseIP("192.0.2.7")}},
		"san-any":         {DNS: []string{"ops.example.net"}},
	} {
		ca := harness.NewCA(t, "CA for "+mapType)
		cas = append(cas, ca)
		name := ""
		if mapType == "specified" {
			name = "ops"
		}
		lines = append(lines, harness.CertToName(ca.MapFingerprint(), mapType, name))
		certificates[mapType] = ca.Issue(t, subject)
	}
	// the first entry that gives a name counts
	first := harness.NewCA(t, "CA of two entries")
	lines = append(lines, harness.CertToName(first.MapFingerprint(), "san-dns-name", ""), harness.CertToName(first.MapFingerprint(), "common-name", ""))
	certificates["the second entry, where the first finds no such field"] = first.Issue(t, harness.Subject{CommonName: "ops"})
	notOps := first.Issue(t, harness.Subject{CommonName: "ops", DNS: []string{"somebody-else"}})
	l := tlsSimulatorLab(t, harness.Config{
		PKI: pki, TLS: append(lines, fmt.Sprintf("client_ca = %q", bundle(t, append(cas, first)...))),
		Blocks: []string{managerBlock("ops", "edge-*", `certificate_names = ["ops@example.net", "ops.example.net", "192.0.2.7"]`)},
	}, devicesim.Options{})
	for name, certificate := range certificates {
		target := l.edge1TLS()
		target.Certificate = certificate
		mayConnect(t, name, target, true)
	}
	target := l.edge1TLS()
	target.Certificate = notOps
	mayConnect(t, "a name from the first entry that is not the manager's", target, false)
}

// mapFingerprint is a certificate's fingerprint in the form of RFC 7407.
func mapFingerprint(c harness.Certificate) string {
	return strings.Replace(c.Fingerprint(), "SHA256", "04", 1)
}

// bundle writes the certificates of several CAs to one file.
func bundle(t *testing.T, cas ...*harness.CA) string {
	t.Helper()
	var all bytes.Buffer
	for _, ca := range cas {
		pem, err := os.ReadFile(ca.Path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(pem)
	}
	path := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(path, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestARenewedServerCertificateIsShownWithoutARestart(t *testing.T) {
	t.Parallel()
	pki := harness.NewPKI(t)
	l := tlsSimulatorLab(t, harness.Config{PKI: pki}, devicesim.Options{})
	manager := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
	if shown := shownBy(t, l.edge1TLS()); !shown.Equal(pki.Server.Leaf()) {
		t.Fatalf("it shows %s", shown.SerialNumber)
	}
	renewed := pki.NewServer(t)
	renewed.CopyTo(t, pki.Server)
	for _, target := range []harness.TLSTarget{l.edge1TLS(), l.SharedTLSTarget("edge-1")} {
		harness.Eventually(t, harness.ReplyTimeout, "the renewed certificate", func() bool { return shownBy(t, target).Equal(renewed.Leaf()) })
	}
	answersWithin(t, manager, harness.ReplyTimeout)
	l.mustBeTheSameLink(t)
	// half a renewal changes nothing
	broken := pki.NewServer(t)
	if err := os.WriteFile(pki.Server.KeyPath, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if shown := shownBy(t, l.edge1TLS()); !shown.Equal(renewed.Leaf()) {
		t.Errorf("after half a renewal it shows %s", shown.SerialNumber)
	}
	broken.CopyTo(t, pki.Server)
	harness.Eventually(t, harness.ReplyTimeout, "the whole renewal", func() bool { return shownBy(t, l.edge1TLS()).Equal(broken.Leaf()) })
}

func shownBy(t *testing.T, target harness.TLSTarget) *x509.Certificate {
	t.Helper()
	conn, err := harness.TryDialTLS(target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func TestTheGatewaysOwnCertificateSurvivesARestart(t *testing.T) {
	t.Parallel()
	pki := harness.NewPKI(t)
	g := harness.StartGateway(t, harness.Config{PKI: pki, TLS: pki.MapLines()})
	before := ownCertificate(t, g)
	if err := before.VerifyHostname("edge-1." + harness.Domain); err != nil {
		t.Errorf("it is not for the devices: %v", err)
	}
	g.Stop(t)
	g.Start(t)
	if !ownCertificate(t, g).Equal(before) {
		t.Error("it is another one after a restart")
	}
}

func ownCertificate(t *testing.T, g *harness.Gateway) *x509.Certificate {
	t.Helper()
	target := g.SharedTLSTarget("edge-1")
	var shown *x509.Certificate
	conn, err := tls.Dial("tcp", target.Address, &tls.Config{
		ServerName: target.ServerName, InsecureSkipVerify: true, Certificates: []tls.Certificate{target.Certificate.TLS},
		VerifyConnection: func(s tls.ConnectionState) error { shown = s.PeerCertificates[0]; return nil },
	})
	if err == nil {
		conn.Close()
	}
	if shown == nil {
		t.Fatalf("the gateway showed no certificate: %v", err)
	}
	return shown
}

// The end of the device is an end of the stream, and no broken connection.
func TestAManagerOnTLSSeesACleanEndWhenTheDeviceIsGone(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			for versionName, version := range tlsVersions {
				target := l.edge1TLS()
				target.Version = version
				s := harness.ConnectTLS(t, target, harness.Base11)
				defer func() {
					if said, err := s.Receive(harness.ReplyTimeout); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("TLS %s: %v %.300s", versionName, err, said)
					}
				}()
			}
			l.call.Kill()
		})
	}
}

// Without tickets every connection shows its certificate, which may have been
// revoked since the one before.
func TestNoSessionIsResumed(t *testing.T) {
	t.Parallel()
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{})
	for _, version := range tlsVersions {
		cache := tls.NewLRUClientSessionCache(10)
		for range 2 {
			conn, err := tls.Dial("tcp", l.SharedTLSTarget("edge-1").Address, &tls.Config{
				ServerName: "edge-1." + harness.Domain, InsecureSkipVerify: true, MinVersion: version, MaxVersion: version,
				Certificates: []tls.Certificate{l.PKI.Manager.TLS}, ClientSessionCache: cache,
			})
			if err != nil {
				t.Fatal(err)
			}
			s := harness.NewSession(conn)
			if err := s.Open(harness.ReplyTimeout, harness.Base11); err != nil { // tickets would come before the hello
				t.Fatal(err)
			}
			if conn.ConnectionState().DidResume {
				t.Error("it was resumed")
			}
			conn.Close()
		}
	}
}
