package auth

import "crypto/x509"

// The identity types of TLS. Their fingerprints are "SHA256:" and the digest in
// upper-case hex digits with colons, as openssl x509 -fingerprint prints it.
const (
	TypeCertificate    = "x509"     // the digest is the certificate's
	TypeCertificateKey = "x509-key" // the digest is its SubjectPublicKeyInfo's: only for pins
)

// CertificateIdentity returns the identity that is the certificate.
func CertificateIdentity(cert *x509.Certificate) Identity { panic("not written yet") }

// CertificateKeyIdentity returns the identity that is the certificate's key,
// which a renewed certificate may keep.
func CertificateKeyIdentity(cert *x509.Certificate) Identity { panic("not written yet") }

// CertificateNames returns all that a session entry may expect a certificate to
// name: the subject's common name and serialNumber, and the DNS names, IP
// addresses and URIs of the subjectAltName, each as NormalizeCertificateName
// writes it.
func CertificateNames(cert *x509.Certificate) []string { panic("not written yet") }

// NormalizeCertificateName returns the form in which names are compared: lower
// case, and IP addresses as netip prints them.
func NormalizeCertificateName(name string) string { panic("not written yet") }
