package callhome

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"callhome-gateway/auth"
)

// TestCA issues certificates for tests, of this package and of its users.
type TestCA struct {
	cert   *x509.Certificate
	key    crypto.Signer
	serial int64
}

// NewTestCA returns a CA of its own.
func NewTestCA(t testing.TB, name string) *TestCA {
	t.Helper()
	ca := &TestCA{serial: 1}
	ca.cert, ca.key = certify(t, nil, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	return ca
}

// Issue returns a certificate with the common name; change may change it first.
func (ca *TestCA) Issue(t testing.TB, name string, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	serial := int64(time.Now().UnixNano())
	if ca != nil {
		ca.serial++
		serial = ca.serial
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	cert, key := certify(t, ca, template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// SelfSigned returns a certificate that no CA has issued.
func SelfSigned(t testing.TB, name string) tls.Certificate {
	t.Helper()
	return (*TestCA)(nil).Issue(t, name, nil)
}

// Revoke returns a list with the certificates on it.
func (ca *TestCA) Revoke(t testing.TB, revoked ...tls.Certificate) *x509.RevocationList {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, cert := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: cert.Leaf.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Anchors returns anchors of the one CA.
func (ca *TestCA) Anchors(t testing.TB, lists ...*x509.RevocationList) *auth.Anchors {
	t.Helper()
	anchors, err := auth.NewAnchors([]*x509.Certificate{ca.cert}, lists)
	if err != nil {
		t.Fatal(err)
	}
	return anchors
}

// Pool returns the CA for crypto/tls.
func (ca *TestCA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

func certify(t testing.TB, ca *TestCA, template *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, crypto.Signer(key)
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
