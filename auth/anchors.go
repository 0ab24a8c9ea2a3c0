package auth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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

// maxSent is how many certificates a peer may send: more are nobody's chain.
const maxSent = 16

// Anchors are the CAs that certificates are validated to, with their
// revocation lists. Its methods may be called concurrently. A nil *Anchors has
// no CA and no list.
type Anchors struct {
	cas   []*x509.Certificate
	dated dated
	pool  *x509.CertPool
	lists atomic.Pointer[revocations]
}

// NewAnchors returns the anchors. A CA may be a root, an intermediate, or a
// self-signed certificate that is no CA, which then vouches for itself alone.
// It fails when one is none of these or older than version 3 of X.509, or as
// SetLists does.
func NewAnchors(cas []*x509.Certificate, lists []*x509.RevocationList) (*Anchors, error) {
	if len(cas) == 0 {
		return nil, errors.New("there is no CA certificate")
	}
	a := &Anchors{cas: cas, dated: make(dated), pool: x509.NewCertPool()}
	for _, ca := range cas {
		// Before version 3 of X.509 a certificate could not say that it is no CA,
		// and crypto/x509 takes each for one.
		switch {
		case ca.Version < 3:
			return nil, fmt.Errorf("%s is a certificate of X.509 version %d, which cannot say whether it is a CA: issue it again as version 3, or pin it by its fingerprint instead", subjectOf(ca), ca.Version)
		case !ca.IsCA && !selfSigned(ca):
			return nil, fmt.Errorf("%s is no CA certificate: pin it by its fingerprint instead", subjectOf(ca))
		}
		a.pool.AddCert(a.dated.undate(ca))
	}
	return a, a.SetLists(lists)
}

// SetLists replaces the revocation lists, or fails and changes nothing. It
// fails when a list is not signed by the CA that it names, if that is one of
// these. A list of another is kept for when a peer sends the certificate of its
// issuer. A list revokes until it is replaced, also when it is stale; a
// certificate is revoked when any list says so.
func (a *Anchors) SetLists(lists []*x509.RevocationList) error {
	r, err := newRevocations(a.cas, lists)
	if err != nil {
		return err
	}
	a.lists.Store(r)
	return nil
}

// Verify validates the certificates that a peer sent, its own first, for the
// usage. It returns the chain from the peer's certificate to the anchor. The
// error is ErrRevoked or ErrExpired, in this order, only when nothing else is
// wrong: an anchor vouches for whom it was issued to.
func (a *Anchors) Verify(sent []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) ([]*x509.Certificate, error) {
	switch {
	case len(sent) == 0:
		return nil, fmt.Errorf("%w: none was sent", ErrCertificate)
	case len(sent) > maxSent:
		return nil, fmt.Errorf("%w: %d were sent with it, and %d is the most", ErrCertificate, len(sent)-1, maxSent-1)
	case a == nil:
		return nil, fmt.Errorf("%w: there is none", ErrUnknownCA)
	}
	chains, err := a.chains(sent, usage)
	if err != nil {
		return nil, a.refusal(sent, err)
	}
	lists := a.lists.Load()
	var refused error
	for _, chain := range chains {
		err := lists.check(chain, sent)
		if err == nil {
			err = validAt(chain, now)
		}
		if err == nil {
			return chain, nil
		}
		if refused == nil || errors.Is(err, ErrRevoked) {
			refused = err
		}
	}
	return nil, refused
}

// Holds reports whether one of the CAs has the key, as CertificateKeyIdentity
// returns it.
func (a *Anchors) Holds(key Identity) bool {
	return slices.ContainsFunc(a.cas, func(ca *x509.Certificate) bool { return CertificateKeyIdentity(ca) == key })
}

// Revoked returns an ErrRevoked when a list names the peer's certificate or,
// as far as they are sent or known, one of those above it. It looks at nothing
// else: a pinned certificate may be revoked too. Those above are found by their
// names alone: a peer can only make its own certificate look revoked by them.
func (a *Anchors) Revoked(sent []*x509.Certificate) error {
	if a == nil || len(sent) == 0 {
		return nil
	}
	sent = sent[:min(len(sent), maxSent)]
	lists, line := a.lists.Load(), sent[:1:1]
	for i := 0; i < len(line); i++ {
		if err := lists.find(line[i], sent); err != nil {
			return err
		}
		for _, issuer := range append(issuersOf(line[i], sent), issuersOf(line[i], a.cas)...) {
			if !contains(line, issuer) {
				line = append(line, issuer)
			}
		}
	}
	return nil
}
