package auth

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// dated leads from copies of certificates to the certificates. The copies are
// valid at dateless and at no other time: crypto/x509 then finds the chains
// whatever their dates, which are looked at afterwards. It could not tell an
// expired certificate of a known CA from one of an unknown CA, and there may be
// no time at which all certificates of a chain were valid.
type dated map[*x509.Certificate]*x509.Certificate

var dateless = time.Unix(0, 0)

func (d dated) undate(cert *x509.Certificate) *x509.Certificate {
	c := *cert
	c.NotBefore, c.NotAfter = dateless, dateless
	d[&c] = cert
	return &c
}

// chains returns every chain from the peer's certificate to an anchor.
func (a *Anchors) chains(sent []*x509.Certificate, usage x509.ExtKeyUsage) ([][]*x509.Certificate, error) {
	theirs, intermediates := make(dated), x509.NewCertPool()
	for _, cert := range sent[1:] {
		intermediates.AddCert(theirs.undate(cert))
	}
	chains, err := theirs.undate(sent[0]).Verify(x509.VerifyOptions{
		Roots:         a.pool,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{usage},
		CurrentTime:   dateless,
	})
	for _, chain := range chains {
		for i, c := range chain {
			if own := theirs[c]; own != nil {
				chain[i] = own
			} else {
				chain[i] = a.dated[c]
			}
		}
	}
	return chains, err
}

// validAt returns an ErrExpired when a certificate of the chain is not valid at
// that time.
func validAt(chain []*x509.Certificate, now time.Time) error {
	for i, cert := range chain {
		whose := subjectOf(cert)
		if i > 0 {
			whose = "the CA " + whose
		}
		switch {
		case now.Before(cert.NotBefore):
			return fmt.Errorf("%w: %s is valid from %s on, and it is %s", ErrExpired, whose, stamp(cert.NotBefore), stamp(now))
		case now.After(cert.NotAfter):
			return fmt.Errorf("%w: %s was valid until %s, and it is %s", ErrExpired, whose, stamp(cert.NotAfter), stamp(now))
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// refusal says in our words why crypto/x509 finds no chain.
func (a *Anchors) refusal(sent []*x509.Certificate, err error) error {
	leaf := sent[0]
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return fmt.Errorf("%w: the extended key usage of %s or of a CA above it does not allow this one", ErrWrongUsage, subjectOf(leaf))
	case !errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("%w: %.200q", ErrCertificate, err.Error())
	case selfSigned(leaf):
		return fmt.Errorf("%w: %s is not issued by any CA", ErrSelfSigned, subjectOf(leaf))
	}
	if weak := a.weakLink(sent); weak != nil {
		return fmt.Errorf("%w: %s is signed with %s, which can be forged: issue it again with SHA-256", ErrCertificate, subjectOf(weak), weak.SignatureAlgorithm)
	}
	return fmt.Errorf("%w: %s names %.80q as its issuer (%.200q)", ErrUnknownCA, subjectOf(leaf), leaf.Issuer.String(), err.Error())
}

// weakLink returns the certificate whose signature is too weak, if the names
// lead from the peer's over it to an anchor.
func (a *Anchors) weakLink(sent []*x509.Certificate) (weak *x509.Certificate) {
	cert := sent[0]
	for range sent {
		if weak == nil && weakSignature(cert) {
			weak = cert
		}
		if len(issuersOf(cert, a.cas)) > 0 {
			return weak
		}
		above := issuersOf(cert, sent[1:])
		if len(above) == 0 {
			return nil
		}
		cert = above[0]
	}
	return nil
}

func weakSignature(cert *x509.Certificate) bool {
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// selfSigned reports whether the certificate is signed with its own key, weakly
// or not.
func selfSigned(cert *x509.Certificate) bool {
	if !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		return false
	}
	err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
	return err == nil || errors.As(err, new(x509.InsecureAlgorithmError))
}

// issuersOf returns those that have the name of the certificate's issuer.
func issuersOf(cert *x509.Certificate, among []*x509.Certificate) []*x509.Certificate {
	var issuers []*x509.Certificate
	for _, other := range among {
		if bytes.Equal(other.RawSubject, cert.RawIssuer) {
			issuers = append(issuers, other)
		}
	}
	return issuers
}

func contains(certs []*x509.Certificate, cert *x509.Certificate) bool {
	return slices.ContainsFunc(certs, cert.Equal)
}

// subjectOf names a certificate to a person.
func subjectOf(cert *x509.Certificate) string {
	if subject := cert.Subject.String(); subject != "" {
		return fmt.Sprintf("%.80q", subject)
	}
	return fmt.Sprintf("the certificate with the serial number %.40x", cert.SerialNumber)
}
