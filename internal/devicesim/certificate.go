package devicesim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// GenerateCertificate makes a new P-256 key and its certificate, with the name
// as common name, subject serialNumber and DNS name, so that a peer may take
// the device's name from any of them. The issuer signs it, or where that is
// nil the new key itself. It holds from 2020 on and does not expire.
func GenerateCertificate(name string, issuer *tls.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("generate key: %w", err)
	}
	return certify(name, key, issuer)
}

// CertificateFromSeed makes the certificate of device number index as
// GenerateCertificate does. The same arguments always give the same one, so
// that simulated devices keep their identity over restarts. Anyone who knows
// the seed knows the keys.
func CertificateFromSeed(seed string, index int, name string, issuer *tls.Certificate) (tls.Certificate, error) {
	for try := 0; ; try++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "callhome-device certificate key %d of %q, %d", index, seed, try))
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:]); err == nil { // else it exceeds the order
			return certify(name, key, issuer)
		}
	}
}

// certify makes a certificate that depends on its arguments alone.
func certify(name string, key *ecdsa.PrivateKey, issuer *tls.Certificate) (tls.Certificate, error) {
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate of %s: %w", name, err)
	}
	serial := sha256.Sum256(public)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:16]),
		Subject:      pkix.Name{CommonName: name, SerialNumber: name},
		DNSNames:     []string{name},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // none (RFC 5280 section 4.1.2.5)
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer, chain, err := signedBy(issuer, template, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate of %s: %w", name, err)
	}
	// Without a source of randomness ECDSA signatures are deterministic.
	der, err := x509.CreateCertificate(nil, template, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate of %s: %w", name, err)
	}
	return tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key}, nil
}

// signedBy returns who signs a certificate, and the chain to send behind it:
// the issuer's, without a root, which a peer must have already.
func signedBy(issuer *tls.Certificate, self *x509.Certificate, key crypto.Signer) (*x509.Certificate, crypto.Signer, [][]byte, error) {
	if issuer == nil {
		return self, key, nil, nil
	}
	signer, ok := issuer.PrivateKey.(crypto.Signer)
	if !ok || len(issuer.Certificate) == 0 {
		return nil, nil, nil, fmt.Errorf("the issuer has no certificate with a key that signs")
	}
	parent, err := x509.ParseCertificate(issuer.Certificate[0])
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the issuer's certificate: %w", err)
	}
	if string(parent.RawSubject) == string(parent.RawIssuer) {
		return parent, signer, nil, nil
	}
	return parent, signer, issuer.Certificate, nil
}

// FingerprintCertificate returns the SHA-256 fingerprint of a certificate, as
// "SHA256:" and what openssl x509 -fingerprint -sha256 prints.
func FingerprintCertificate(der []byte) string {
	sum := sha256.Sum256(der)
	return "SHA256:" + strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}
