package auth

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
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
	// NameDomain is cut off names that end with it: "example.net" makes "edge-1"
	// of "edge-1.example.net". Names of other domains are none.
	NameDomain string
}

// chain is what devices are shown, in DER.
func (u *UserTLS) chain() [][]byte {
	if u == nil {
		return nil
	}
	return u.Certificate.Certificate
}

// NameField is a field of a certificate that a device's name is taken from.
type NameField uint8

// The fields that may name a device. A certificate must have exactly one.
const (
	NameFromNone NameField = iota
	NameFromCommonName
	NameFromSerialNumber // of the subject, not of the certificate
	NameFromDNS          // the only dNSName of the subjectAltName
)

func (f NameField) String() string {
	return [...]string{"none", "common-name", "serial-number", "san-dns-name"}[f]
}

// DeviceName returns the name that the certificate gives its device, in lower
// case. The error says which field is missing or there several times, or has no
// device name (see ValidName). Different values give different names, but for
// upper and lower case and for the domain, which may be there or not.
func (u *UserTLS) DeviceName(cert *x509.Certificate) (string, error) {
	values := u.NameFrom.values(cert)
	switch len(values) {
	case 0:
		return "", fmt.Errorf("the certificate has no %s to name the device by", u.NameFrom)
	case 1:
		return deviceName(u.NameFrom.String(), values[0], u.NameDomain)
	}
	return "", fmt.Errorf("the certificate has %d values of %s, and only one can name the device", len(values), u.NameFrom)
}

// values returns what the certificate has in the field.
func (f NameField) values(cert *x509.Certificate) []string {
	switch f {
	case NameFromCommonName:
		return subjectFields(cert, oidCommonName)
	case NameFromSerialNumber:
		return subjectFields(cert, oidSerialNumber)
	case NameFromDNS:
		return altValues(cert, altDNS)
	}
	return nil
}

// deviceName makes a device's name of what a certificate has in a field.
func deviceName(field, value, domain string) (string, error) {
	name := lowerASCII(value)
	if domain != "" {
		name = strings.TrimSuffix(name, "."+lowerASCII(domain))
	}
	if !ValidName(name) {
		return "", fmt.Errorf("the %s %.80q of the certificate is no device name: that is letters, digits and hyphens, 63 at most, and then name_domain if it is set", field, value)
	}
	return name, nil
}
