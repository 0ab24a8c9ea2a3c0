package devicesim

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/netconf"
)

// newCertificate makes a certificate, or stops the test.
func newCertificate(t testing.TB, name string, issuer *tls.Certificate) tls.Certificate {
	t.Helper()
	c, err := GenerateCertificate(name, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newCA makes a CA: its certificate with its key, and the pool of it alone.
func newCA(t testing.TB, name string) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	ca := newCertificate(t, name, nil)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := ca.PrivateKey.(crypto.Signer)
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca.Certificate = [][]byte{der}
	pool := x509.NewCertPool()
	pool.AddCert(parseCertificate(t, der))
	return &ca, pool
}

func parseCertificate(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newTLSDevice makes a device that lets anybody with a certificate in.
func newTLSDevice(t testing.TB, change func(*Options)) *Device {
	t.Helper()
	return newDevice(t, func(o *Options) {
		o.HostKeys, o.Username, o.Password = nil, "", ""
		o.TLS = &TLS{AnyClient: true}
		if change != nil {
			change(o)
		}
	})
}

// tlsClient is the side of a gateway that trusts whatever it is shown, and
// shows its certificate whatever CAs the device names.
func tlsClient(certificate *tls.Certificate) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return config
}

// handshake sets up TLS. In 1.3 a refusal arrives with the first read.
func handshake(t testing.TB, conn net.Conn, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c, c.HandshakeContext(ctx)
}

// tlsConnection makes a TLS device and the connection to it.
func tlsConnection(t testing.TB, change func(*Options)) (*Device, *tls.Conn) {
	t.Helper()
	d := newTLSDevice(t, change)
	own := newCertificate(t, "gateway", nil)
	conn, err := handshake(t, serve(t, d), tlsClient(&own))
	if err != nil {
		t.Fatal(err)
	}
	return d, conn
}

// connectTLS makes a TLS device and opens its session.
func connectTLS(t testing.TB, change func(*Options)) (*Device, *client) {
	t.Helper()
	d, conn := tlsConnection(t, change)
	return d, hello(t, &client{Conn: netconf.NewConn(conn), t: t})
}

func TestTLSSession(t *testing.T) {
	auth, sessions := &record{}, make(chan bool, 2)
	d, c := connectTLS(t, func(o *Options) {
		o.OnAuth = func(user, method string) { auth.add(user + " " + method) }
		o.OnSession = func(_ uint32, up bool) { sessions <- up }
	})
	contains(t, c.do(`<get/>`), "<username>gateway</username>")
	c.ok(`<close-session/>`)
	if _, err := c.Next(); err != io.EOF {
		t.Errorf("the session ended with %v, want a close_notify", err)
	}
	if !within(t, sessions) || within(t, sessions) {
		t.Error("the session did not come up, and end")
	}
	if got := auth.list(); !slices.Equal(got, []string{"gateway certificate"}) {
		t.Errorf("authentication %v", got)
	}
	if got, want := d.Calls(), (Calls{Connected: 1, LoggedIn: 1}); got != want {
		t.Errorf("calls %+v, want %+v", got, want)
	}
}

func TestTLSCallsAgain(t *testing.T) {
	l := listen(t)
	d := newTLSDevice(t, func(o *Options) { o.Connect, o.Reconnect = l.Addr().String(), time.Millisecond })
	start(t, d.Run)
	own := newCertificate(t, "gateway", nil)
	for range 2 {
		conn, err := handshake(t, accept(t, l), tlsClient(&own))
		if err != nil {
			t.Fatal(err)
		}
		hello(t, &client{Conn: netconf.NewConn(conn), t: t}).ok(`<close-session/>`)
		der := conn.ConnectionState().PeerCertificates[0].Raw
		if want := []string{FingerprintCertificate(der)}; !slices.Equal(d.Fingerprints(), want) {
			t.Errorf("fingerprints %v, want %v", d.Fingerprints(), want)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	ca, pool := newCA(t, "gateways")
	other, _ := newCA(t, "others")
	client := clientCertificate(t, ca)
	stranger := clientCertificate(t, other)
	selfSigned := newCertificate(t, "gateway", nil)
	print := FingerprintCertificate(selfSigned.Certificate[0])
	tests := []struct {
		name   string
		device TLS
		client *tls.Certificate
		want   string // of the error; empty where the peer gets in
	}{
		{"signed by the CA", TLS{ClientCAs: pool}, &client, ""},
		{"signed by another CA", TLS{ClientCAs: pool}, &stranger, "unknown certificate authority"},
		{"fingerprint", TLS{Clients: []string{print}}, &selfSigned, ""},
		{"another fingerprint", TLS{Clients: []string{print}}, &client, "bad certificate"},
		{"none", TLS{AnyClient: true}, nil, "certificate required"},
		{"none needed", TLS{NoClientCertificate: true}, nil, ""},
		{"not asked for", TLS{NoClientCertificate: true}, &client, ""},
		{"refused", TLS{RefuseClients: true}, &client, "bad certificate"},
		{"refused by 1.2", TLS{RefuseClients: true, MaxVersion: tls.VersionTLS12}, &client, "bad certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sent := &record{}
			ended := make(chan error, 1)
			d := newTLSDevice(t, func(o *Options) {
				o.TLS = &tt.device
				o.OnAuth = func(user, method string) { sent.add(method) }
				o.OnHandshake = func(_ tls.ConnectionState, err error) { ended <- err }
			})
			conn, err := handshake(t, serve(t, d), tlsClient(tt.client))
			if err == nil {
				_, err = conn.Read(make([]byte, 1))
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err := within(t, ended); (err == nil) != (tt.want == "") {
				t.Errorf("the hook was told %v", err)
			}
			if want := tt.client != nil && !tt.device.NoClientCertificate; want != (len(sent.list()) == 1) {
				t.Errorf("certificates seen: %v", sent.list())
			}
		})
	}
}

// clientCertificate makes one for TLS clients.
func clientCertificate(t testing.TB, ca *tls.Certificate) tls.Certificate {
	t.Helper()
	c := newCertificate(t, "gateway", nil)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "gateway"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	parent := parseCertificate(t, ca.Certificate[0])
	der, err := x509.CreateCertificate(nil, template, parent, c.PrivateKey.(crypto.Signer).Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	c.Certificate = [][]byte{der}
	return c
}

func TestTLSVersions(t *testing.T) {
	own := newCertificate(t, "gateway", nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		d := newTLSDevice(t, func(o *Options) {
			o.TLS = &TLS{AnyClient: true, MinVersion: version, MaxVersion: version}
		})
		conn, err := handshake(t, serve(t, d), tlsClient(&own))
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().Version; got != version {
			t.Errorf("got %s, want %s", tls.VersionName(got), tls.VersionName(version))
		}
		config := tlsClient(&own)
		config.MinVersion, config.MaxVersion = tls.VersionTLS12+tls.VersionTLS13-version, tls.VersionTLS12+tls.VersionTLS13-version
		if _, err := handshake(t, serve(t, d), config); err == nil {
			t.Errorf("a device for %s spoke another version", tls.VersionName(version))
		}
	}
}

// TestImpostor shows a certificate without its key.
func TestImpostor(t *testing.T) {
	own := newCertificate(t, "gateway", nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		d := newTLSDevice(t, func(o *Options) {
			victim, thief := newCertificate(t, "dev", nil), newCertificate(t, "dev", nil)
			o.TLS.Certificate = tls.Certificate{Certificate: victim.Certificate, PrivateKey: thief.PrivateKey}
			o.TLS.MinVersion, o.TLS.MaxVersion = version, version
			o.OnAuth = func(string, string) { t.Error("the peer sent its certificate") }
		})
		if _, err := handshake(t, serve(t, d), tlsClient(&own)); err == nil {
			t.Errorf("%s: the impostor was believed", tls.VersionName(version))
		}
	}
}

func TestSilentTLS(t *testing.T) {
	_, conn := tlsConnection(t, func(o *Options) { o.SilentHello = true })
	_, _ = io.WriteString(conn, "anything")
	_ = conn.CloseWrite() // the device reads on, and sees the end
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v", err)
	}
}

func TestTLSGarbageIsSurvived(t *testing.T) {
	d := newTLSDevice(t, nil)
	conn := serve(t, d)
	_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
	own := newCertificate(t, "gateway", nil)
	if _, err := handshake(t, serve(t, d), tlsClient(&own)); err != nil {
		t.Error(err)
	}
}

func TestDropOnTLS(t *testing.T) {
	d, c := connectTLS(t, nil)
	d.Drop()
	if _, err := c.Next(); err == nil || err == io.EOF {
		t.Errorf("the connection ended with %v, want a reset", err)
	}
}

func TestIssuedCertificates(t *testing.T) {
	ca, pool := newCA(t, "maker")
	for _, issue := range []func() (tls.Certificate, error){
		func() (tls.Certificate, error) { return GenerateCertificate("edge-1", ca) },
		func() (tls.Certificate, error) { return CertificateFromSeed("seed", 1, "edge-1", ca) },
	} {
		made, err := issue()
		if err != nil {
			t.Fatal(err)
		}
		c := parseCertificate(t, made.Certificate[0])
		if _, err := c.Verify(x509.VerifyOptions{Roots: pool, DNSName: "edge-1"}); err != nil {
			t.Error(err)
		}
		if c.Subject.CommonName != "edge-1" || c.Subject.SerialNumber != "edge-1" {
			t.Errorf("the subject is %s", c.Subject)
		}
	}
	if _, err := GenerateCertificate("edge-1", &tls.Certificate{}); err == nil {
		t.Error("an empty issuer signed")
	}
}

func TestCertificatesFromSeed(t *testing.T) {
	seen := map[string]bool{}
	for i := range 3 {
		one, err := CertificateFromSeed("a", i, "dev", nil)
		if err != nil {
			t.Fatal(err)
		}
		two, _ := CertificateFromSeed("a", i, "dev", nil)
		print := FingerprintCertificate(one.Certificate[0])
		if print != FingerprintCertificate(two.Certificate[0]) || seen[print] {
			t.Errorf("%d: %s", i, print)
		}
		seen[print] = true
	}
}

func TestTLSFleet(t *testing.T) {
	const count = 20
	l := listen(t)
	o := FleetOptions{Options: Options{Name: "dev", Connect: l.Addr().String(), TLS: &TLS{AnyClient: true}}, Count: count}
	for _, seed := range []string{"", "fleet"} {
		o.Seed = seed
		f, err := NewFleet(o)
		if err != nil {
			t.Fatal(err)
		}
		prints := map[string]bool{}
		for _, d := range f.Devices {
			prints[d.Fingerprints()[0]] = true
			if got := parseCertificate(t, d.Certificate()).Subject.CommonName; got != d.Name() {
				t.Errorf("%s has the certificate of %s", d.Name(), got)
			}
		}
		if len(prints) != count {
			t.Errorf("seed %q: %d certificates, want %d", seed, len(prints), count)
		}
	}
	o.TLS.Certificate = newCertificate(t, "dev", nil)
	if _, err := NewFleet(o); err == nil {
		t.Error("devices share a certificate")
	}
}
