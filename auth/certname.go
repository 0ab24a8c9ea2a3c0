package auth

import "crypto/x509"

// CertMap is an entry of the cert-to-name list (RFC 7407 section 3, RFC 7589
// section 7): certificates with this fingerprint, or issued under a CA with
// it, give the name that Type says.
type CertMap struct {
	// Fingerprint is that of a certificate, in the form of CertificateIdentity,
	// or an RFC 7407 tls-fingerprint ("04:9f:86…": 04 is SHA-256, 05 SHA-384, 06 SHA-512).
	Fingerprint string
	Type        CertMapType
	// Name is the name itself where Type is CertMapSpecified, and empty otherwise.
	Name string
}

// CertMapType is an identity of ietf-x509-cert-to-name.
type CertMapType string

// The types of RFC 7407.
const (
	CertMapSpecified  CertMapType = "specified"
	CertMapSANRFC822  CertMapType = "san-rfc822-name"
	CertMapSANDNS     CertMapType = "san-dns-name"
	CertMapSANIP      CertMapType = "san-ip-address"
	CertMapSANAny     CertMapType = "san-any"
	CertMapCommonName CertMapType = "common-name"
)

// CertNames maps the certificates of managers to names, in the order of its entries.
type CertNames struct{}

// NewCertNames returns the mapping, or an error that names the entry that is wrong.
func NewCertNames(entries []CertMap) (*CertNames, error) { panic("not written yet") }

// Pins reports whether the certificate itself, not a CA's, is in the list: it
// needs no path validation then (RFC 7589 section 5).
func (c *CertNames) Pins(cert *x509.Certificate) bool { panic("not written yet") }

// Name returns the first name that the list gives for a validated chain, the
// peer's certificate first, or for a pinned certificate alone.
func (c *CertNames) Name(chain []*x509.Certificate) (string, bool) { panic("not written yet") }
