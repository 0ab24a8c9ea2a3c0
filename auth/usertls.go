package auth

import (
	"crypto/tls"
	"crypto/x509"
)

// UserTLS is what a user entry logs in with over TLS, and whom it trusts there.
type UserTLS struct {
	// Certificate is the client certificate that devices are shown.
	Certificate tls.Certificate
	// Anchors are the CAs that devices' certificates are validated to; nil
	// means that only pins and approvals tell who a device is.
	Anchors *Anchors
	// NameFrom is the field of a certificate that names devices without a
	// session entry, which the Anchors then vouch for; NameFromNone means that
	// an entry must expect the name.
	NameFrom NameField
	// NameDomain is cut off names that end with it: "example.net" makes
	// "edge-1" of "edge-1.example.net".
	NameDomain string
}

// NameField is a field of a certificate that a device's name is taken from.
type NameField uint8

// The fields that may name a device.
const (
	NameFromNone NameField = iota
	NameFromCommonName
	NameFromSerialNumber // of the subject, not of the certificate
	NameFromDNS          // the only dNSName of the subjectAltName
)

func (f NameField) String() string {
	return [...]string{"none", "common-name", "serial-number", "san-dns-name"}[f]
}

// DeviceName returns the name that the certificate gives its device. The error
// says which field is missing, or no device name (see ValidName).
func (u *UserTLS) DeviceName(cert *x509.Certificate) (string, error) {
	panic("not written yet")
}
