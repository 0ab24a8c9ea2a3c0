package auth

import (
	"crypto/x509"
	"encoding/asn1"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// altKind is the kind of a GeneralName (RFC 5280 section 4.2.1.6).
type altKind uint8

const (
	altRFC822 altKind = 1
	altDNS    altKind = 2
	altURI    altKind = 6
	altIP     altKind = 7
)

// altName is one of a certificate's subjectAltNames as it was written, but for
// an IP address, which is as netip prints it.
type altName struct {
	kind  altKind
	value string
}

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// subjectAltNames returns the names of the four kinds in the order of the
// certificate. crypto/x509 sorts them by kind, and RFC 7407's san-any wants to
// know which is first.
func subjectAltNames(cert *x509.Certificate) []altName {
	for _, extension := range cert.Extensions {
		if extension.Id.Equal(oidSubjectAltName) {
			return parseAltNames(extension.Value)
		}
	}
	return nil
}

// parseAltNames returns the names up to the first that is malformed.
func parseAltNames(der cryptobyte.String) []altName {
	var names []altName
	var sequence cryptobyte.String
	if !der.ReadASN1(&sequence, cbasn1.SEQUENCE) {
		return nil
	}
	for !sequence.Empty() {
		var value cryptobyte.String
		var tag cbasn1.Tag
		if !sequence.ReadAnyASN1(&value, &tag) {
			break
		}
		for _, kind := range []altKind{altRFC822, altDNS, altURI, altIP} {
			if tag == cbasn1.Tag(kind).ContextSpecific() {
				names = append(names, altName{kind, altValue(kind, value)})
			}
		}
	}
	return names
}

// altValue returns the name, or "" for an IP address of another length than
// one has.
func altValue(kind altKind, value []byte) string {
	if kind != altIP {
		return string(value)
	}
	addr, ok := netip.AddrFromSlice(value)
	if !ok {
		return ""
	}
	return addr.String()
}

// altValues returns the names of one kind.
func altValues(cert *x509.Certificate, kind altKind) []string {
	var values []string
	for _, alt := range subjectAltNames(cert) {
		if alt.kind == kind {
			values = append(values, alt.value)
		}
	}
	return values
}
