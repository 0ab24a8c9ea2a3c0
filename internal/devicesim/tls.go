package devicesim

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// TLS makes a device speak NETCONF over TLS (RFC 7589): it dials, and is the
// TLS server on the connection, with one session on it and no session tickets.
// The zero value makes its own certificate, and needs to be told whom it lets
// in. While it is busy with an rpc it does not see that the peer has left.
type TLS struct {
	// Certificate is what the device proves itself with, the chain included.
	// That the key fits is not checked: an impostor's does not. Default: one
	// that GenerateCertificate makes with the device's name and Issuer.
	Certificate tls.Certificate
	// Issuer signs the certificate that is made. Default: it is self-signed.
	Issuer *tls.Certificate

	// ClientCAs, where not nil, must have signed the peer's certificate.
	ClientCAs *x509.CertPool
	// Clients, where not empty, are the fingerprints of the certificates that
	// may log in, as FingerprintCertificate has them.
	Clients []string
	// AnyClient lets in every peer that has a certificate.
	AnyClient bool
	// NoClientCertificate lets in every peer, and asks for no certificate.
	NoClientCertificate bool
	// RefuseClients refuses every certificate with the alert bad_certificate.
	RefuseClients bool

	// MinVersion and MaxVersion bound the version, such as tls.VersionTLS12.
	// Default: 1.2 and 1.3.
	MinVersion, MaxVersion uint16
}

func (t *TLS) validate() error {
	if t.ClientCAs == nil && len(t.Clients) == 0 && !t.AnyClient && !t.NoClientCertificate && !t.RefuseClients {
		return errors.New("a TLS device needs a CA or a fingerprint of the client certificates that may log in")
	}
	if t.MinVersion != 0 && t.MaxVersion != 0 && t.MinVersion > t.MaxVersion {
		return fmt.Errorf("TLS versions from %s to %s: there are none",
			tls.VersionName(t.MinVersion), tls.VersionName(t.MaxVersion))
	}
	return nil
}

// certificate returns the certificate that a device with this name has.
func (t *TLS) certificate(name string) (tls.Certificate, error) {
	if len(t.Certificate.Certificate) > 0 {
		return t.Certificate, nil
	}
	return GenerateCertificate(name, t.Issuer)
}

// tlsConfig makes the certificate and the configuration of a TLS device.
func (d *Device) tlsConfig() (*tls.Config, error) {
	t := d.o.TLS
	certificate, err := t.certificate(d.o.Name)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		Certificates:           []tls.Certificate{certificate},
		MinVersion:             max(t.MinVersion, tls.VersionTLS12),
		MaxVersion:             t.MaxVersion,
		SessionTicketsDisabled: true,
		ClientCAs:              t.ClientCAs,
		ClientAuth:             tls.RequireAnyClientCert,
		VerifyPeerCertificate:  func(chain [][]byte, _ [][]*x509.Certificate) error { return d.checkClient(chain[0]) },
	}
	switch {
	case t.NoClientCertificate:
		config.ClientAuth = tls.NoClientCert
	case t.ClientCAs != nil:
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// checkClient decides on a certificate whose chain, if that is asked for, is
// valid. Its key is not proven yet.
func (d *Device) checkClient(der []byte) error {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	d.o.OnAuth(certificate.Subject.CommonName, "certificate")
	t := d.o.TLS
	if t.RefuseClients || len(t.Clients) > 0 && !slices.Contains(t.Clients, FingerprintCertificate(der)) {
		return errDenied
	}
	return nil
}

// serveTLS is a call over TLS: one session, in the goroutine of the call.
func (c *call) serveTLS() error {
	conn, err := c.handshake()
	if err != nil {
		return err
	}
	user := ""
	if peers := conn.ConnectionState().PeerCertificates; len(peers) > 0 {
		user = peers[0].Subject.CommonName
	}
	c.loggedIn(user)
	return c.device.serveSession(c.ctx, conn, user, c.turn())
}

func (c *call) handshake() (*tls.Conn, error) {
	_ = c.line.SetDeadline(time.Now().Add(c.device.o.LoginTimeout))
	conn := tls.Server(c.line, c.device.tls)
	err := conn.Handshake()
	var invalid *tls.CertificateVerificationError
	if errors.As(err, &invalid) && len(invalid.UnverifiedCertificates) > 0 {
		c.device.o.OnAuth(invalid.UnverifiedCertificates[0].Subject.CommonName, "certificate")
	}
	c.device.o.OnHandshake(conn.ConnectionState(), err)
	if err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, c.line.SetDeadline(time.Time{})
}
