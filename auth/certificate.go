package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
)

// The identity types of TLS. Their fingerprints are "SHA256:" and the digest in
// upper-case hex digits with colons, as openssl x509 -fingerprint prints it.
const (
	TypeCertificate    = "x509"     // the digest is the certificate's
	TypeCertificateKey = "x509-key" // the digest is its SubjectPublicKeyInfo's: only for pins
)

// CertificateIdentity returns the identity that is the certificate.
func CertificateIdentity(cert *x509.Certificate) Identity {
	return Identity{Type: TypeCertificate, Fingerprint: certificateFingerprint(cert.Raw)}
}

// CertificateKeyIdentity returns the identity that is the certificate's key,
// which a renewed certificate may keep.
func CertificateKeyIdentity(cert *x509.Certificate) Identity {
	return Identity{Type: TypeCertificateKey, Fingerprint: certificateFingerprint(cert.RawSubjectPublicKeyInfo)}
}

func certificateFingerprint(der []byte) string {
	digest := sha256.Sum256(der)
	return fingerprintPrefix + colonHex(digest[:])
}

// maxCertificateNames bounds what one certificate may claim to be.
const maxCertificateNames = 100

// CertificateNames returns all that a session entry may expect a certificate to
// name: the subject's common name and serialNumber, and the DNS names, IP
// addresses and URIs of the subjectAltName, each as NormalizeCertificateName
// writes it. Of more than a hundred it returns the first; names that
// NormalizeCertificateName refuses are left out.
func CertificateNames(cert *x509.Certificate) []string {
	raw := append(subjectFields(cert, oidCommonName), subjectFields(cert, oidSerialNumber)...)
	for _, alt := range subjectAltNames(cert) {
		if alt.kind != altRFC822 {
			raw = append(raw, alt.value)
		}
	}
	return normalizedNames(raw)
}

// normalizedNames returns the first of the names that are any.
func normalizedNames(raw []string) []string {
	names := make([]string, 0, min(len(raw), maxCertificateNames))
	for _, name := range raw {
		if name = NormalizeCertificateName(name); name != "" && len(names) < maxCertificateNames {
			names = append(names, name)
		}
	}
	return names
}

var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSerialNumber = asn1.ObjectIdentifier{2, 5, 4, 5}
)

// subjectFields returns the values of one attribute of the subject.
func subjectFields(cert *x509.Certificate, attribute asn1.ObjectIdentifier) []string {
	var values []string
	for _, field := range cert.Subject.Names {
		if value, ok := field.Value.(string); ok && field.Type.Equal(attribute) {
			values = append(values, value)
		}
	}
	return values
}
