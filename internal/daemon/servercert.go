package daemon

import (
	"crypto/tls"
	"sync/atomic"
)

// serverCertificates are what managers are shown on the TLS endpoints.
type serverCertificates struct {
	// own is that of the files, or the one that the gateway signed itself.
	own atomic.Pointer[tls.Certificate]
	// acme obtains others; nil if that is not configured.
	acme *acmeClient
}

// get is for tls.Config.GetCertificate. Until there is one from ACME the own
// certificate must do: managers that pin it or its CA could not come in else.
func (s *serverCertificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.acme != nil {
		if cert := s.acme.certificate(hello.ServerName); cert != nil {
			return cert, nil
		}
	}
	return s.own.Load(), nil
}

// certify prepares the certificate of the TLS endpoints, where there are any.
func (d *daemon) certify() error {
	c := d.settings()
	if c.Gateway.TLS == nil {
		return nil
	}
	d.certificates = &serverCertificates{}
	own := c.TLS.Pair
	if own == nil {
		var err error
		if own, err = selfSigned(c.StateDir, c.Gateway.Domain); err != nil {
			return err
		}
	}
	d.certificates.own.Store(own)
	if c.TLS.ACME != nil {
		d.certificates.acme = newACMEClient(c.TLS.ACME, c.StateDir, d.log)
	}
	return nil
}
