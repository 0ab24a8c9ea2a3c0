package harness

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
)

// TLSTarget is what a manager connects to over TLS.
type TLSTarget struct {
	// Address is HOST:PORT.
	Address string
	// Certificate logs in; one without a Path is not shown.
	Certificate Certificate
	// Servers is the CA that the other side's certificate must be of.
	Servers *CA
	// ServerName is sent as SNI, and must be in the certificate. Where it is
	// empty none is sent.
	ServerName string
	// Version is the only version of TLS to offer; 0 for all of them.
	Version uint16
}

// name is what the certificate must be for.
func (target TLSTarget) name() string {
	if target.ServerName == "" {
		return serverName
	}
	return target.ServerName
}

// TryDialTLS connects and shakes hands. In TLS 1.3 a certificate that is
// refused shows in the first read only.
func TryDialTLS(target TLSTarget) (*tls.Conn, error) {
	roots := x509.NewCertPool()
	roots.AddCert(target.Servers.Certificate)
	config := &tls.Config{
		MinVersion: max(target.Version, tls.VersionTLS12), MaxVersion: target.Version,
		ServerName: target.ServerName, InsecureSkipVerify: true, // done below, also without SNI
		VerifyConnection: func(s tls.ConnectionState) error {
			between := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: target.name()})
			return err
		},
	}
	if target.Certificate.Path != "" {
		config.Certificates = []tls.Certificate{target.Certificate.TLS}
	}
	return tls.DialWithDialer(&net.Dialer{Timeout: ReplyTimeout}, "tcp", target.Address, config)
}

// ConnectTLS opens a NETCONF session over TLS, as a manager that can misbehave
// at will, or fails the test. The connection ends with the test.
func ConnectTLS(t testing.TB, target TLSTarget, bases ...string) *Session {
	t.Helper()
	s, err := TryConnectTLS(target, bases...)
	if err != nil {
		t.Fatalf("opening a session over TLS at %s: %v", target.Address, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TryConnectTLS is ConnectTLS for a session that may be refused.
func TryConnectTLS(target TLSTarget, bases ...string) (*Session, error) {
	conn, err := TryDialTLS(target)
	if err != nil {
		return nil, err
	}
	s := NewSession(conn)
	if err := s.Open(ReplyTimeout, bases...); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}
