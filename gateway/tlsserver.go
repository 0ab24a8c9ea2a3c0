package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// What managers may negotiate in TLS 1.2; TLS 1.3 has no such list. With an
// RSA key exchange the server would not have proven its key by the time it
// asks for the manager's certificate, and CBC brings SHA-1 along.
var tls12Suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// newTLSConfig returns a configuration that lacks only its callbacks. A manager
// must show a certificate (RFC 7589 section 5); which one is accepted is
// decided in the callback, for pinned ones need no CA. There are no session
// tickets: a certificate that was revoked would live on in them. Records are
// large from the start: a reply is of no use before its end.
func newTLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		CipherSuites:           tls12Suites,
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true,

		DynamicRecordSizingDisabled: true,
	}
}

// errNoTLS is for managers who come while the last TLS endpoint goes.
var errNoTLS = errors.New("there is no TLS endpoint any more")

// errNotPinned says that there is no CA that could vouch for a manager.
var errNotPinned = errors.New("the certificate is not pinned in the cert-to-name list, and there is no client CA")

// name returns the name that the list gives for a manager's certificates, if they
// are valid.
func (o *TLSOptions) name(sent []*x509.Certificate, now time.Time) (string, error) {
	if o == nil {
		return "", errNoTLS
	}
	chain, err := o.validate(sent, now)
	if err != nil {
		return "", err
	}
	name, ok := o.Names.Name(chain)
	if !ok {
		return "", errNoName
	}
	return name, nil
}

// validate returns the chain of a manager's certificate up to its CA, or, where
// there is none, the certificate alone if it is pinned. The chain goes first: an
// entry about the CA may stand before the one about the certificate. What was
// revoked is refused either way.
func (o *TLSOptions) validate(sent []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	if err := o.Anchors.Revoked(sent); err != nil {
		return nil, err
	}
	chain, err := o.Anchors.Verify(sent, x509.ExtKeyUsageClientAuth, now)
	switch {
	case err == nil:
		return chain, nil
	case o.Names.Pins(sent[0]):
		return sent[:1], nil
	case o.Anchors == nil:
		return nil, errNotPinned
	}
	return nil, err
}
