package auth

import (
	"crypto/x509"
	"errors"
	"time"
)

// Why a certificate is not accepted. The errors that Anchors returns wrap one
// of them with the details.
var (
	ErrUnknownCA   = errors.New("the certificate was not issued by a configured CA")
	ErrSelfSigned  = errors.New("the certificate is self-signed")
	ErrExpired     = errors.New("the certificate is not valid at this time")
	ErrRevoked     = errors.New("the certificate was revoked")
	ErrWrongUsage  = errors.New("the certificate was issued for another purpose")
	ErrCertificate = errors.New("the certificate cannot be used")
)

// Anchors are the CAs that certificates are validated to, with their
// revocation lists. Its methods may be called concurrently.
type Anchors struct{}

// NewAnchors returns the anchors. It fails when a CA certificate is none, or a
// list is not signed by one of the CAs, or an intermediate of theirs.
func NewAnchors(cas []*x509.Certificate, lists []*x509.RevocationList) (*Anchors, error) {
	panic("not written yet")
}

// SetLists replaces the revocation lists, or fails and changes nothing.
func (a *Anchors) SetLists(lists []*x509.RevocationList) error { panic("not written yet") }

// Verify validates the certificates that a peer sent, its own first, for the
// usage. It returns the chain from the peer's certificate to the anchor.
func (a *Anchors) Verify(sent []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) ([]*x509.Certificate, error) {
	panic("not written yet")
}

// Revoked returns an ErrRevoked when a list names the peer's certificate or,
// as far as they are sent or known, one of those above it. It looks at nothing
// else: a pinned certificate may be revoked too.
func (a *Anchors) Revoked(sent []*x509.Certificate) error { panic("not written yet") }
