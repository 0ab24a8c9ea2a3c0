package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
)

// pkiFiles are made once.
var pkiFiles map[string][]byte

func writePKI(t *testing.T) {
	t.Helper()
	if pkiFiles == nil {
		pkiFiles = newPKI(t)
	}
	if err := os.Mkdir("pki", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range pkiFiles {
		write(t, filepath.Join("pki", name), content)
	}
	if err := os.Chmod("pki/exposed.key", 0o644); err != nil {
		t.Fatal(err)
	}
}

// The dates show in messages: the golden files have them.
var (
	pkiBegin = time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
	pkiEnd   = time.Date(2120, 1, 2, 0, 0, 0, 0, time.UTC)
)

func newPKI(t *testing.T) map[string][]byte {
	t.Helper()
	ca, caKey := newX509(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Devices CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, nil, nil)
	// Another CA of the same name, as after a mistake with keys.
	twin, twinKey := newX509(t, &x509.Certificate{Subject: ca.Subject, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, nil, nil)
	leaf, leafKey := newX509(t, &x509.Certificate{Subject: pkix.Name{CommonName: "gateway"}, DNSNames: []string{"*.gw.example.net"}}, ca, caKey)
	_, otherKey := newX509(t, &x509.Certificate{}, ca, caKey)
	expired, expiredKey := newX509(t, &x509.Certificate{Subject: leaf.Subject, NotAfter: pkiBegin.AddDate(1, 0, 0)}, ca, caKey)
	future, futureKey := newX509(t, &x509.Certificate{Subject: leaf.Subject, NotBefore: pkiEnd.AddDate(-1, 0, 0)}, ca, caKey)
	foreign, foreignKey := newX509(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Other CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign}, nil, nil)
	der, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"gateway.pem": certPEM(leaf, ca), "gateway.key": keyPEM(t, leafKey), "other.key": keyPEM(t, otherKey), "exposed.key": keyPEM(t, leafKey),
		"sec1.key":     pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		"reversed.pem": certPEM(ca, leaf),
		"expired.pem":  certPEM(expired), "expired.key": keyPEM(t, expiredKey),
		"future.pem": certPEM(future), "future.key": keyPEM(t, futureKey),
		"encrypted.key": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("hunter2")}),
		"old.key":       pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("hunter2")}),
		"broken.key":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")}),
		"broken.pem":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
		"gateway.der":   leaf.Raw,
		"text":          []byte("hunter2\n"),
		"ca.pem":        certPEM(ca),
		"leaf.pem":      certPEM(leaf),
		"version1.pem":  certPEM(versionOne(t, ca)),
		"ca.crl":        listPEM(t, ca, caKey, pkiEnd),
		"stale.crl":     listPEM(t, ca, caKey, pkiBegin.AddDate(0, 1, 0)),
		"twin.crl":      listPEM(t, twin, twinKey, pkiEnd),
		"foreign.crl":   listPEM(t, foreign, foreignKey, pkiEnd),
		"broken.crl":    pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("x")}),
	}
}

func newX509(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotBefore.IsZero() {
		template.NotBefore = pkiBegin
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = pkiEnd
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
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

func certPEM(chain ...*x509.Certificate) (text []byte) {
	for _, cert := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return text
}

func keyPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func listPEM(t *testing.T, ca *x509.Certificate, key *ecdsa.PrivateKey, next time.Time) []byte {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: pkiBegin, NextUpdate: next}, ca, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func checkTLS(t *testing.T, c *Config) {
	if c.Callhome.Main.TLSPort != 4335 || c.Gateway.Sessions != gateway.SessionsShared {
		t.Errorf("callhome: tls_port %d, sessions %v", c.Callhome.Main.TLSPort, c.Gateway.Sessions)
	}
	u := c.Callhome.NamedUsers["tls"].TLS
	if u == nil || u.Certificate.Leaf.Subject.CommonName != "gateway" || len(u.Certificate.Certificate) != 2 || u.Anchors == nil ||
		u.NameFrom != auth.NameFromDNS || u.NameDomain != "devices.example.net" {
		t.Errorf("user: %+v", u)
	}
	e := c.Callhome.Entries[2]
	if e.Transport != callhome.TLS || len(e.Pins) != 2 || e.Pins[0].Type != auth.TypeCertificate || e.Pins[1].Type != auth.TypeCertificateKey {
		t.Errorf("edge-3: %+v", e)
	}
	if e := c.Callhome.Entries[3]; !slices.Equal(e.CertificateNames, []string{"edge-2.example", "192.0.2.7"}) || e.Transport != "" {
		t.Errorf("edge-4: %+v", e)
	}
	g := c.Gateway
	if g.TLSPort != 6513 || g.Domain != "gw.example.net" || g.TLS == nil || g.TLS.Anchors == nil || g.TLS.Names == nil || g.Devices[2].TLSPort != 21003 {
		t.Errorf("gateway: %+v", g)
	}
	if m := g.Managers[1]; !slices.Equal(m.CertificateNames, []string{"CN of a script"}) {
		t.Errorf("manager: %+v", m)
	}
	if c.TLS.Certificate != "etc/pki/gateway.pem" || c.TLS.Key != "etc/pki/sec1.key" || c.TLS.Pair == nil || c.TLS.ACME != nil {
		t.Errorf("tls: %+v", c.TLS)
	}
	if len(c.Lists) != 2 || !slices.Equal(c.Lists[0].Files, []string{"etc/pki/ca.crl"}) || c.Lists[1].Anchors != g.TLS.Anchors {
		t.Errorf("lists: %+v", c.Lists)
	}
}

func TestFilesAreReadAgainAsTheyWereRead(t *testing.T) {
	inTestdata(t)
	if pair, err := LoadPair("pki/gateway.pem", "pki/gateway.key"); err != nil || len(pair.Certificate) != 2 {
		t.Errorf("pair %v, %v", pair, err)
	}
	if lists, err := LoadLists("pki/ca.crl"); err != nil || len(lists) != 1 {
		t.Errorf("lists %v, %v", lists, err)
	}
	for what, c := range map[string]struct {
		load func() error
		want string
	}{
		"no certificate": {func() error { _, err := LoadPair("pki/missing", "pki/gateway.key"); return err }, "cannot read pki/missing: no such file or directory"},
		"half a pair":    {func() error { _, err := LoadPair("pki/gateway.pem", "pki/other.key"); return err }, "pki/gateway.pem: the certificate and the key do not belong together: both commands must print the same: openssl x509 -noout -pubkey -in CERTIFICATE; openssl pkey -pubout -in KEY"},
		"no key":         {func() error { _, err := LoadPair("pki/gateway.pem", "pki/text"); return err }, `pki/text: there is no private key in it: a key in PEM begins with "-----BEGIN PRIVATE KEY-----"`},
		"no list":        {func() error { _, err := LoadLists("pki/ca.pem"); return err }, `pki/ca.pem: there is no revocation list in it: a list in PEM begins with "-----BEGIN X509 CRL-----"`},
	} {
		if err := c.load(); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTLSPortOfCallsIsOnWhereAUserHasACertificate(t *testing.T) {
	inTestdata(t)
	const user = "user \"u\" {\n  tls {\n    certificate = \"pki/gateway.pem\"\n    key = \"pki/gateway.key\"\n  }\n}\n"
	for src, want := range map[string]uint16{
		"":                                   0,
		user:                                 4335,
		user + "callhome {\n}\n":             4335,
		user + "callhome { tls_port = 0 }\n": 0,
		"callhome { tls_port = 7 }\n":        7,
	} {
		c, p := load("x.hcl", openFile{content: []byte(src)}, Options{Getenv: testGetenv})
		if c == nil || c.Callhome.Main.TLSPort != want {
			t.Errorf("%q: %v", src, p)
		}
	}
}
