package harness

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Subject is what a certificate says of its owner. The zero value of all that
// is not a name is what a sound certificate has.
type Subject struct {
	CommonName, SerialNumber string
	DNS, Emails              []string
	IPs                      []net.IP
	URIs                     []*url.URL
	// Usage is client and server where it is nil.
	Usage []x509.ExtKeyUsage
	// NotBefore and NotAfter are a day away from now where they are zero.
	NotBefore, NotAfter time.Time
	// Key is made anew where it is nil: a rollover may keep the old one.
	Key *ecdsa.PrivateKey
}

// Certificate is a certificate with its key, in memory and in files as the
// programs want them.
type Certificate struct {
	// TLS holds the intermediates too, as a peer must send them.
	TLS tls.Certificate
	// Path holds the same in PEM, and KeyPath the key.
	Path, KeyPath string
	Key           *ecdsa.PrivateKey
}

// Leaf is the certificate itself.
func (c Certificate) Leaf() *x509.Certificate { return c.TLS.Leaf }

// Fingerprint is what a session entry pins as one of its certificates.
func (c Certificate) Fingerprint() string { return colonDigest(c.Leaf().Raw) }

// KeyFingerprint is what a session entry pins as one of its certificate_keys.
func (c Certificate) KeyFingerprint() string { return colonDigest(c.Leaf().RawSubjectPublicKeyInfo) }

// MapFingerprint is the CA's fingerprint in the form of RFC 7407: 04 is SHA-256.
func (ca *CA) MapFingerprint() string {
	return strings.Replace(colonDigest(ca.Certificate.Raw), "SHA256", "04", 1)
}

// colonDigest writes as "openssl x509 -fingerprint -sha256" does.
func colonDigest(der []byte) string {
	return fmt.Sprintf("SHA256:%s", strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(der)), " ", ":"))
}

// CA issues certificates, and says which of them it has revoked.
type CA struct {
	Certificate *x509.Certificate
	// Path is its certificate in PEM.
	Path string

	key   crypto.Signer
	above [][]byte // the intermediates that a peer must send, this one first
	lists int64
}

// NewCA makes a root.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	template := caTemplate(t, name)
	return newCA(t, template, template, nil)
}

// Intermediate makes a CA below this one.
func (ca *CA) Intermediate(t testing.TB, name string) *CA {
	t.Helper()
	below := newCA(t, caTemplate(t, name), ca.Certificate, ca.key)
	below.above = append([][]byte{below.Certificate.Raw}, ca.above...)
	return below
}

func caTemplate(t testing.TB, name string) *x509.Certificate {
	template := newTemplate(t, Subject{CommonName: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.ExtKeyUsage = nil
	return template
}

// newCA makes one that the signer vouches for, or, without one, itself.
func newCA(t testing.TB, template, parent *x509.Certificate, signer crypto.Signer) *CA {
	t.Helper()
	ca := &CA{key: newECKey(t), Path: filepath.Join(t.TempDir(), "ca.pem")}
	if signer == nil {
		signer = ca.key
	}
	ca.Certificate = sign(t, template, parent, ca.key, signer)
	write(t, ca.Path, pemBlock("CERTIFICATE", ca.Certificate.Raw), 0o644)
	return ca
}

// Issue makes a certificate, and the files for it.
func (ca *CA) Issue(t testing.TB, s Subject) Certificate {
	t.Helper()
	return issue(t, s, ca.Certificate, ca.key, ca.above)
}

// SelfSigned makes a certificate that nobody else vouches for.
func SelfSigned(t testing.TB, s Subject) Certificate {
	t.Helper()
	return issue(t, s, nil, nil, nil)
}

func issue(t testing.TB, s Subject, parent *x509.Certificate, signer crypto.Signer, above [][]byte) Certificate {
	t.Helper()
	c := Certificate{Key: s.Key}
	if c.Key == nil {
		c.Key = newECKey(t)
	}
	template := newTemplate(t, s)
	if parent == nil {
		parent, signer = template, c.Key
	}
	leaf := sign(t, template, parent, c.Key, signer)
	c.TLS = tls.Certificate{Certificate: append([][]byte{leaf.Raw}, above...), PrivateKey: c.Key, Leaf: leaf}
	c.write(t)
	return c
}

func (c *Certificate) write(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	c.Path, c.KeyPath = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.KeyPath, pemBlock("PRIVATE KEY", der), 0o600)
	write(t, c.Path, c.pem(), 0o644)
}

func (c *Certificate) pem() []byte {
	var all []byte
	for _, der := range c.TLS.Certificate {
		all = append(all, pemBlock("CERTIFICATE", der)...)
	}
	return all
}

// CopyTo replaces the files of another certificate by those of this one, each
// at once, as whoever renews certificates should.
func (c *Certificate) CopyTo(t testing.TB, other Certificate) {
	t.Helper()
	for from, to := range map[string]string{c.Path: other.Path, c.KeyPath: other.KeyPath} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		replaceFile(t, to, content)
	}
}

// WriteCRL writes the list of what this CA has revoked to the file, at once.
// Empty lists are as good as others.
func (ca *CA) WriteCRL(t testing.TB, path string, revoked ...Certificate) {
	t.Helper()
	ca.lists++
	template := &x509.RevocationList{
		Number: big.NewInt(ca.lists), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(24 * time.Hour),
	}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.Leaf().SerialNumber, RevocationTime: time.Now().Add(-time.Minute),
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.Certificate, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, path, pemBlock("X509 CRL", der))
}

// NewCRL is WriteCRL to a new file.
func (ca *CA) NewCRL(t testing.TB, revoked ...Certificate) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crl.pem")
	ca.WriteCRL(t, path, revoked...)
	return path
}

func newTemplate(t testing.TB, s Subject) *x509.Certificate {
	t.Helper()
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: s.CommonName, SerialNumber: s.SerialNumber},
		DNSNames: s.DNS, EmailAddresses: s.Emails, IPAddresses: s.IPs, URIs: s.URIs,
		NotBefore: s.NotBefore, NotAfter: s.NotAfter, ExtKeyUsage: s.Usage,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if s.Usage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if s.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-24 * time.Hour)
	}
	if s.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	return template
}

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate for a key.
func sign(t testing.TB, template, parent *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// replaceFile leaves no moment at which the file is half written.
func replaceFile(t testing.TB, path string, content []byte) {
	t.Helper()
	write(t, path+".new", content, 0o600)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
