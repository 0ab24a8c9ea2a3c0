package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
)

func TestTLSLogin(t *testing.T) {
	opts, p := tlsOptions(t)
	own := freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", TLSPort: own}}
	h := serve(t, opts).with(t, "edge-1", "core-1")
	const edge = "edge-1.gw.example.net"
	for _, c := range []struct {
		name       string
		port       uint16
		serverName string
		certs      []tls.Certificate
		want       string // in the log; empty when the manager may come in
	}{
		{"shared port", opts.TLSPort, edge, []tls.Certificate{p.noc}, ""},
		{"shared port, capitals", opts.TLSPort, "EDGE-1.gw.Example.NET", []tls.Certificate{p.noc}, ""},
		{"own port", own, "", []tls.Certificate{p.noc}, ""},
		{"own port by another name", own, "core-1.gw.example.net", []tls.Certificate{p.noc}, ""},
		{"by another name of the manager", own, "", []tls.Certificate{p.alias}, ""},
		{"pinned, self-signed", own, "", []tls.Certificate{p.pinned}, ""},
		{"another manager", opts.TLSPort, "core-1.gw.example.net", []tls.Certificate{p.admin}, ""},
		{"no certificate", own, "", nil, "certificate"},
		{"unknown CA", own, "", []tls.Certificate{newAuthority(t, "managers").issue("noc")}, auth.ErrUnknownCA.Error()},
		{"self-signed", own, "", []tls.Certificate{selfSigned(t, "noc")}, auth.ErrSelfSigned.Error()},
		{"expired", own, "", []tls.Certificate{p.expired}, auth.ErrExpired.Error()},
		{"revoked", own, "", []tls.Certificate{p.revoked}, auth.ErrRevoked.Error()},
		{"a server's", own, "", []tls.Certificate{p.server}, auth.ErrWrongUsage.Error()},
		{"no manager's name", own, "", []tls.Certificate{p.stranger}, auth.ErrUnknownManager.Error()},
		{"no name", own, "", []tls.Certificate{p.ca.issue("")}, errNoName.Error()},
		{"not its device", opts.TLSPort, "core-1.gw.example.net", []tls.Certificate{p.noc}, auth.ErrDeviceDenied.Error()},
		{"no SNI", opts.TLSPort, "", []tls.Certificate{p.noc}, errNoServerName.Error()},
		{"SNI of elsewhere", opts.TLSPort, "edge-1.example.net", []tls.Certificate{p.noc}, errServerName.Error()},
		{"SNI of the domain", opts.TLSPort, "gw.example.net", []tls.Certificate{p.noc}, errServerName.Error()},
		{"SNI that is too deep", opts.TLSPort, "x." + edge, []tls.Certificate{p.noc}, errServerName.Error()},
		{"SNI of no device", opts.TLSPort, "edge-404.gw.example.net", []tls.Certificate{p.noc}, errUnknownDevice.Error()},
		{"SNI of no device, not for it", opts.TLSPort, "nowhere.gw.example.net", []tls.Certificate{p.noc}, auth.ErrDeviceDenied.Error()},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(c.name+" over "+tls.VersionName(version), func(t *testing.T) {
				h.refused.forget()
				refusals := h.log.linesWith("login was refused")
				m, err := tryTLS(t, c.port, &tls.Config{
					ServerName: c.serverName, Certificates: c.certs, MinVersion: version, MaxVersion: version,
				})
				if err == nil {
					err = m.hello()
				}
				if c.want == "" {
					if err != nil {
						t.Fatal(err)
					}
					if got := m.get(); !strings.Contains(got, "<ok/>") {
						t.Errorf("got %q", got)
					}
					return
				}
				if !refusedByAlert(err) {
					t.Errorf("the manager is told %v", err)
				}
				var line string
				eventually(t, "refusal in the log", func() bool {
					now := h.log.linesWith("login was refused")
					if len(now) > len(refusals) {
						line = now[len(refusals)]
					}
					return line != ""
				})
				for _, want := range []string{"[WARN]", c.want, fmt.Sprint("port=", c.port), "remote=127.0.0.1"} {
					if !strings.Contains(line, want) {
						t.Errorf("the log does not say %q: %s", want, line)
					}
				}
			})
		}
	}
}

// What a stranger writes into its certificate must not forge lines of the log.
func TestSubjectsAreQuoted(t *testing.T) {
	opts, _ := tlsOptions(t)
	h := serve(t, opts)
	m, err := tryTLS(t, opts.TLSPort, &tls.Config{Certificates: []tls.Certificate{
		selfSigned(t, "noc\n2026-01-01 [INFO] all is well"+strings.Repeat("x", 1<<10)),
	}})
	if err == nil {
		err = m.hello()
	}
	if !refusedByAlert(err) {
		t.Error(err)
	}
	h.stop()
	log := h.log.String()
	if !strings.Contains(log, "subject=") || strings.Count(log, "\n") != 1 || len(log) > 1<<10 {
		t.Errorf("the log is %q", log)
	}
}

// The first entry that fits counts, also where one behind it pins what the CA
// has issued; and what is pinned comes in without a CA that vouches for it.
func TestTheFirstEntryThatFitsCounts(t *testing.T) {
	opts, p := tlsOptions(t)
	pinned, expired, foreign := p.ca.issue("admin"), p.expired, newAuthority(t, "others").issue("whatever")
	maps := []auth.CertMap{{Fingerprint: fingerprint(p.ca.cert), Type: auth.CertMapCommonName}}
	for _, c := range []tls.Certificate{pinned, expired, foreign} {
		maps = append(maps, auth.CertMap{Fingerprint: fingerprint(c.Leaf), Type: auth.CertMapSpecified, Name: "noc"})
	}
	var err error
	if opts.TLS.Names, err = auth.NewCertNames(maps); err != nil {
		t.Fatal(err)
	}
	h := serve(t, opts).with(t, "edge-1")
	for i, c := range []struct {
		cert tls.Certificate
		want string
	}{{pinned, "admin"}, {expired, "noc"}, {foreign, "noc"}} {
		dialTLS(t, opts.TLSPort, "edge-1", c.cert).open()
		eventually(t, "session", func() bool { return len(h.Devices()[0].Sessions) == i+1 })
		if got := h.Devices()[0].Sessions[i].Manager; got != c.want {
			t.Errorf("certificate %d came in as %s, want %s", i+1, got, c.want)
		}
	}
}

func TestPinnedCertificatesNeedNoCA(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.TLS.Anchors = nil
	h := serve(t, opts).with(t, "edge-1")
	dialTLS(t, opts.TLSPort, "edge-1", p.pinned).open()
	if err := dialTLS(t, opts.TLSPort, "edge-1", p.noc).hello(); !refusedByAlert(err) {
		t.Errorf("another certificate: %v", err)
	}
	h.stop()
	if log := h.log.String(); !strings.Contains(log, errNotPinned.Error()) {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// A manager that shows a certificate without having its key is let in nowhere.
func TestStolenCertificate(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	for i, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h.refused.forget()
		stolen := tls.Certificate{Certificate: p.noc.Certificate, PrivateKey: newKey(t)}
		m, err := tryTLS(t, opts.TLSPort, &tls.Config{
			ServerName: "edge-1.gw.example.net", Certificates: []tls.Certificate{stolen}, MinVersion: version, MaxVersion: version,
		})
		if err == nil {
			err = m.hello()
		}
		if !refusedByAlert(err) {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		eventually(t, "line for each", func() bool { return len(h.log.linesWith("login was refused")) == i+1 })
	}
	if log := h.log.String(); strings.Contains(log, "has logged in") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestTLSAlgorithms(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	for _, c := range []struct {
		name   string
		change func(*tls.Config)
		want   bool
	}{
		{"TLS 1.1", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false},
		{"RSA key exchange", func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256} }, false},
		{"CBC", func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA} }, false},
		{"GCM", func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384} }, true},
	} {
		config := &tls.Config{
			ServerName: "edge-1.gw.example.net", Certificates: []tls.Certificate{p.noc}, MaxVersion: tls.VersionTLS12,
		}
		c.change(config)
		h.refused.forget()
		refusals := h.log.linesWith("login was refused")
		if _, err := tryTLS(t, opts.TLSPort, config); c.want != (err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.want {
			eventually(t, "line for "+c.name, func() bool { return len(h.log.linesWith("login was refused")) == len(refusals)+1 })
		}
	}
}

// A session ticket would let a manager in whose certificate was revoked since.
func TestNoSessionTickets(t *testing.T) {
	opts, p := tlsOptions(t)
	serve(t, opts).with(t, "edge-1")
	config := &tls.Config{
		ServerName: "edge-1.gw.example.net", Certificates: []tls.Certificate{p.noc},
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	for range 2 {
		m, err := tryTLS(t, opts.TLSPort, config)
		if err != nil {
			t.Fatal(err)
		}
		if m.open().ConnectionState().DidResume {
			t.Error("a session was resumed")
		}
	}
}

// The operator hears of a certificate that cannot be had.
func TestNoCertificateOfOurOwn(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.TLS.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("not issued yet") }
	h := serve(t, opts)
	if _, err := tryTLS(t, opts.TLSPort, &tls.Config{Certificates: []tls.Certificate{p.noc}}); !refusedByAlert(err) {
		t.Error(err)
	}
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "[WARN]") || !strings.Contains(log, "not issued yet") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestStrangersOnTheTLSPort(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.LoginTimeout = 200 * time.Millisecond
	h := serve(t, opts).with(t, "edge-1")
	for _, says := range []string{"", "GET / HTTP/1.0\r\n\r\n", "SSH-2.0-scan\r\n", strings.Repeat("x", 1<<20)} {
		conn, err := net.Dial("tcp", address(opts.TLSPort))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, says)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err = io.Copy(io.Discard, conn)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("%.10q: the connection is still open", says)
		}
		conn.Close()
	}
	dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	h.stop()
	if log := h.log.String(); strings.Contains(log, "[WARN]") || strings.Count(log, "ended before a login") != 4 {
		t.Errorf("the log is\n%s", log)
	}
}
