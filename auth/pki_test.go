package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

// The time of the tests; what they issue is valid for a day around it.
var testNow = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// issuer is a certificate with its key.
type issuer struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

var lastSerial int64 = 0x1000

// template is a certificate of a device, or of a manager, to be changed.
func template(commonName string) *x509.Certificate {
	lastSerial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(lastSerial),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    testNow.Add(-12 * time.Hour),
		NotAfter:     testNow.Add(12 * time.Hour),
	}
}

func caTemplate(commonName string) *x509.Certificate {
	ca := template(commonName)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return ca
}

// issue signs the template with a new key; without an issuer, with its own.
func issue(t testing.TB, template *x509.Certificate, by *issuer) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = &issuer{template, key}
	}
	return &issuer{sign(t, template, by, key), key}
}

func sign(t testing.TB, template *x509.Certificate, by *issuer, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// versionOne returns the certificate as X.509 version 1 had it, without
// extensions. Its signature is void.
func versionOne(t testing.TB, cert *x509.Certificate) *x509.Certificate {
	t.Helper()
	var c struct {
		TBS struct {
			Version                                 int `asn1:"optional,explicit,default:0,tag:0"`
			Serial                                  *big.Int
			Algorithm, Issuer, Dates, Subject, Keys asn1.RawValue
			Extensions                              []asn1.RawValue `asn1:"omitempty,optional,explicit,tag:3"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.Raw, &c); err != nil {
		t.Fatal(err)
	}
	c.TBS.Version, c.TBS.Extensions = 0, nil
	der, err := asn1.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return cert
}

// revoke returns a list of the issuer.
func revoke(t testing.TB, by *issuer, certs ...*x509.Certificate) *x509.RevocationList {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: testNow.Add(-time.Hour), NextUpdate: testNow.Add(time.Hour)}
	for _, cert := range certs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: testNow.Add(-time.Hour)})
	}
	return signList(t, list, by)
}

func signList(t testing.TB, list *x509.RevocationList, by *issuer) *x509.RevocationList {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, list, by.Certificate, by.key)
	if err != nil {
		t.Fatal(err)
	}
	list, err = x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func anchors(t testing.TB, cas []*x509.Certificate, lists ...*x509.RevocationList) *Anchors {
	t.Helper()
	a, err := NewAnchors(cas, lists)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type certs = []*x509.Certificate
