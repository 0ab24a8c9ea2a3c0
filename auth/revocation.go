package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// revocations are revocation lists by the encoded name of their issuer. An
// issuer that changed its key still has one list: a certificate is known by
// its issuer's name and its serial number (RFC 5280 section 4.1.2.2).
type revocations map[string][]*revocationList

// revocationList is what is needed of a list: some have 100,000 entries.
type revocationList struct {
	issuer     string
	nextUpdate time.Time
	since      map[string]int64 // by serial number, in seconds of Unix time
	// unsigned is the list as long as nobody is known who signed it; nil when a
	// configured CA did.
	unsigned *x509.RevocationList
}

func newRevocations(cas []*x509.Certificate, lists []*x509.RevocationList) (*revocations, error) {
	r := make(revocations)
	for _, list := range lists {
		l, err := newRevocationList(cas, list)
		if err != nil {
			return nil, fmt.Errorf("the revocation list of %.80q %w", list.Issuer.String(), err)
		}
		r[string(list.RawIssuer)] = append(r[string(list.RawIssuer)], l)
	}
	return &r, nil
}

func newRevocationList(cas []*x509.Certificate, list *x509.RevocationList) (*revocationList, error) {
	l := &revocationList{
		issuer:     list.Issuer.String(),
		nextUpdate: list.NextUpdate,
		since:      make(map[string]int64, len(list.RevokedCertificateEntries)),
	}
	if named, err := signedByOne(list, cas); !named {
		l.unsigned = &x509.RevocationList{
			RawIssuer:            list.RawIssuer,
			RawTBSRevocationList: list.RawTBSRevocationList,
			Signature:            list.Signature,
			SignatureAlgorithm:   list.SignatureAlgorithm,
		}
	} else if err != nil {
		return nil, fmt.Errorf("is not signed by the configured CA of this name, or that may not sign lists: %w", err)
	}
	for _, entry := range list.RevokedCertificateEntries {
		if indirect(entry) {
			return nil, errors.New("has entries of other issuers, which is not supported: get a list of each issuer")
		}
		if entry.ReasonCode != removeFromCRL {
			l.since[serialKey(entry.SerialNumber)] = entry.RevocationTime.Unix()
		}
	}
	return l, nil
}

// removeFromCRL takes an entry of the base list back, in a delta list (RFC 5280
// section 5.3.1). The base list goes on to revoke until it is replaced.
const removeFromCRL = 8

var oidCertificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}

// indirect reports whether the entry, and those after it, are about another
// issuer's certificates (RFC 5280 section 5.3.3).
func indirect(entry x509.RevocationListEntry) bool {
	for _, extension := range entry.Extensions {
		if extension.Id.Equal(oidCertificateIssuer) {
			return true
		}
	}
	return false
}

// serialKey leaves the sign out: no serial number is negative.
func serialKey(serial *big.Int) string { return string(serial.Bytes()) }

// signedByOne reports whether one of the certificates has the name of the
// list's issuer; the error is nil when one of these has the key as well.
func signedByOne(list *x509.RevocationList, certs []*x509.Certificate) (named bool, err error) {
	for _, cert := range certs {
		if !bytes.Equal(cert.RawSubject, list.RawIssuer) {
			continue
		}
		named = true
		if err = list.CheckSignatureFrom(cert); err == nil {
			break
		}
	}
	return named, err
}

// check returns an ErrRevoked when a certificate of the chain is on a list.
func (r *revocations) check(chain, sent []*x509.Certificate) error {
	for _, cert := range chain {
		if err := r.find(cert, sent); err != nil {
			return err
		}
	}
	return nil
}

// find returns an ErrRevoked when a list names the certificate. The issuer of a
// list may be among those that were sent. Its signature is checked last: it is
// over the whole list, and most certificates are on none.
func (r *revocations) find(cert *x509.Certificate, sent []*x509.Certificate) error {
	for _, l := range (*r)[string(cert.RawIssuer)] {
		since, listed := l.since[serialKey(cert.SerialNumber)]
		if listed && l.signed(sent) {
			return fmt.Errorf("%w: %s is on the list of %.80q since %s", ErrRevoked, subjectOf(cert), l.issuer, stamp(time.Unix(since, 0)))
		}
	}
	return nil
}

// signed reports whether a configured CA signed the list, or one that was sent.
func (l *revocationList) signed(sent []*x509.Certificate) bool {
	if l.unsigned == nil {
		return true
	}
	named, err := signedByOne(l.unsigned, sent)
	return named && err == nil
}

// StaleList is a revocation list whose issuer should have replaced it: what was
// revoked since is not known.
type StaleList struct {
	// Issuer is the name of the CA.
	Issuer string
	// NextUpdate is by when it promised a newer list.
	NextUpdate time.Time
}

// StaleLists returns the lists that should have been replaced by now, the
// oldest first.
func (a *Anchors) StaleLists(now time.Time) []StaleList {
	if a == nil {
		return nil
	}
	var stale []StaleList
	for _, lists := range *a.lists.Load() {
		for _, l := range lists {
			if !l.nextUpdate.IsZero() && now.After(l.nextUpdate) {
				stale = append(stale, StaleList{l.issuer, l.nextUpdate})
			}
		}
	}
	slices.SortFunc(stale, func(x, y StaleList) int {
		if c := x.NextUpdate.Compare(y.NextUpdate); c != 0 {
			return c
		}
		return strings.Compare(x.Issuer, y.Issuer)
	})
	return stale
}
