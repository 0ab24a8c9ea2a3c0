package callhome_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
)

func TestWhatIsNoTLSDeviceGetsItsReason(t *testing.T) {
	f := newFleet(t)
	for _, tt := range []struct {
		name, send string
		want       callhome.Reason
		detail     string
	}{
		{"ssh", "SSH-2.0-OpenSSH_9.2\r\n", callhome.FailedPreamble, "speaks SSH"},
		{"http", "HTTP/1.1 200 OK\r\n\r\n", callhome.FailedPreamble, "not a TLS server"},
		{"hang up", "", callhome.FailedHandshake, "failed: the device closed the connection during the handshake"},
		{"hang up in the middle", "\x16\x03\x03\x00", callhome.FailedHandshake, "failed: the device closed the connection during the handshake"},
		{"old version", "\x15\x03\x03\x00\x02\x02\x46", callhome.FailedHandshake, "neither TLS 1.2 nor 1.3 in common"},
		{"no cipher suite", "\x15\x03\x03\x00\x02\x02\x28", callhome.FailedHandshake, "no cipher suite or curve in common"},
		{"another alert", "\x15\x03\x03\x00\x02\x02\x50", callhome.FailedHandshake, `"remote error: tls: internal error"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startTLS(t, callhome.Options{Users: []*auth.User{f.user}})
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, tt.send)
			_ = conn.(*net.TCPConn).CloseWrite()
			if got := s.want(t, tt.want); !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("detail %s", got.Detail)
			}
		})
	}
}

func TestTLSClientIsToldToBeOne(t *testing.T) {
	s := startTLS(t, callhome.Options{Users: []*auth.User{newFleet(t).user}})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake()
	if o := s.want(t, callhome.FailedHandshake); !strings.Contains(o.Detail, "it is a TLS client") {
		t.Errorf("detail %s", o.Detail)
	}
}

func TestUnreadableCertificateIsToBeReplaced(t *testing.T) {
	cert := callhome.SelfSigned(t, "device")
	cert.Certificate = [][]byte{[]byte("no certificate")}
	versions(t, func(t *testing.T, version uint16) {
		s := startTLS(t, callhome.Options{Users: []*auth.User{newFleet(t).user}})
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert}, devicesim.Options{})
		o := s.want(t, callhome.FailedHandshake)
		if !strings.Contains(o.Detail, `("x509: malformed certificate"): issue the device a new certificate`) {
			t.Errorf("detail %s", o.Detail)
		}
	})
}
