package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// CertMap is an entry of the cert-to-name list (RFC 7407 section 3, RFC 7589
// section 7): certificates with this fingerprint, or issued under a CA with
// it, give the name that Type says.
type CertMap struct {
	// Fingerprint is that of a certificate, as ParseCertificateFingerprint takes
	// it, or an RFC 7407 tls-fingerprint ("04:9f:86…": 04 is SHA-256, 05
	// SHA-384, 06 SHA-512).
	Fingerprint string
	Type        CertMapType
	// Name is the name itself where Type is CertMapSpecified, and empty otherwise.
	Name string
}

// CertMapType is an identity of ietf-x509-cert-to-name.
type CertMapType string

// The types of RFC 7407. Of several names of one kind the first counts, but of
// several common names none: it is not said which one is meant.
const (
	CertMapSpecified  CertMapType = "specified"
	CertMapSANRFC822  CertMapType = "san-rfc822-name" // the part after the "@" in lower case
	CertMapSANDNS     CertMapType = "san-dns-name"    // in lower case
	CertMapSANIP      CertMapType = "san-ip-address"  // IPv4 dotted, IPv6 as 32 lower-case hex digits
	CertMapSANAny     CertMapType = "san-any"         // the first of the three above
	CertMapCommonName CertMapType = "common-name"
)

// CertNames maps the certificates of managers to names, in the order of its
// entries. Its methods may be called concurrently. A nil *CertNames gives no name.
type CertNames struct{ entries []certEntry }

type certEntry struct {
	fingerprint string // the bytes of a tls-fingerprint
	name        func(*x509.Certificate) string
}

// NewCertNames returns the mapping, or an error that names the entry that is
// wrong, counted from 1.
func NewCertNames(entries []CertMap) (*CertNames, error) {
	c := &CertNames{entries: make([]certEntry, len(entries))}
	for i, e := range entries {
		compiled, err := e.compile()
		if err != nil {
			return nil, fmt.Errorf("cert-to-name entry %d: %w", i+1, err)
		}
		c.entries[i] = compiled
	}
	return c, nil
}

func (e CertMap) compile() (certEntry, error) {
	fingerprint, err := parseTLSFingerprint(e.Fingerprint)
	if err != nil {
		return certEntry{}, err
	}
	if e.Type == CertMapSpecified {
		if !usableName(e.Name) {
			return certEntry{}, fmt.Errorf("%.80q cannot be a name: that is 1 to %d bytes of text", e.Name, maxCertificateName)
		}
		return certEntry{fingerprint, func(*x509.Certificate) string { return e.Name }}, nil
	}
	name := certFields[e.Type]
	switch {
	case name == nil:
		return certEntry{}, fmt.Errorf("%.80q is no map type of RFC 7407", string(e.Type))
	case e.Name != "":
		return certEntry{}, errors.New("only the map type specified has a name of its own")
	}
	return certEntry{fingerprint, name}, nil
}

// Pins reports whether the certificate itself, not a CA's, is in the list: it
// needs no path validation then (RFC 7589 section 5).
func (c *CertNames) Pins(cert *x509.Certificate) bool {
	if c == nil {
		return false
	}
	shown := tlsFingerprints(cert)
	for _, e := range c.entries {
		if shown[e.fingerprint] {
			return true
		}
	}
	return false
}

// Name returns the first name that the list gives for a validated chain, the
// peer's certificate first, or for a pinned certificate alone. An entry whose
// field the certificate lacks, or whose value is longer than 255 bytes or does
// not print, gives none, and the next one counts (RFC 7407 section 2).
func (c *CertNames) Name(chain []*x509.Certificate) (string, bool) {
	if c == nil || len(chain) == 0 {
		return "", false
	}
	shown := tlsFingerprints(chain...)
	for _, e := range c.entries {
		if !shown[e.fingerprint] {
			continue
		}
		if name := e.name(chain[0]); usableName(name) {
			return name, true
		}
	}
	return "", false
}

// tlsFingerprints returns the fingerprints of the certificates by every hash.
func tlsFingerprints(certs ...*x509.Certificate) map[string]bool {
	all := make(map[string]bool, 3*len(certs))
	for _, cert := range certs {
		short, middle, long := sha256.Sum256(cert.Raw), sha512.Sum384(cert.Raw), sha512.Sum512(cert.Raw)
		all[tlsHashSHA256+string(short[:])] = true
		all[tlsHashSHA384+string(middle[:])] = true
		all[tlsHashSHA512+string(long[:])] = true
	}
	return all
}

// certFields take a name from a certificate; "" means that there is none.
var certFields = map[CertMapType]func(*x509.Certificate) string{
	CertMapSANRFC822:  firstAltName(altRFC822),
	CertMapSANDNS:     firstAltName(altDNS),
	CertMapSANIP:      firstAltName(altIP),
	CertMapSANAny:     firstAltName(altRFC822, altDNS, altIP),
	CertMapCommonName: onlyCommonName,
}

func onlyCommonName(cert *x509.Certificate) string {
	if names := subjectFields(cert, oidCommonName); len(names) == 1 {
		return names[0]
	}
	return ""
}

func firstAltName(kinds ...altKind) func(*x509.Certificate) string {
	return func(cert *x509.Certificate) string {
		for _, alt := range subjectAltNames(cert) {
			for _, kind := range kinds {
				if alt.kind == kind {
					return alt.mapped()
				}
			}
		}
		return ""
	}
}

// mapped writes the name as RFC 7407 wants each kind.
func (n altName) mapped() string {
	switch n.kind {
	case altRFC822:
		at := strings.LastIndexByte(n.value, '@')
		if at <= 0 || at == len(n.value)-1 {
			return ""
		}
		return n.value[:at] + lowerASCII(n.value[at:])
	case altDNS:
		return lowerASCII(n.value)
	case altIP:
		if addr, err := netip.ParseAddr(n.value); err == nil && addr.Is6() {
			return fmt.Sprintf("%x", addr.AsSlice())
		}
		return n.value
	}
	return ""
}
