package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func sshSigner(t testing.TB, key any, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func ed25519Signer(t testing.TB) ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return sshSigner(t, key, err)
}

// withAlgorithm returns the signer for one signature algorithm.
func withAlgorithm(t testing.TB, s ssh.Signer, algorithm string) ssh.Signer {
	t.Helper()
	limited, err := ssh.NewSignerWithAlgorithms(s.(ssh.AlgorithmSigner), []string{algorithm})
	if err != nil {
		t.Fatal(err)
	}
	return limited
}

// hostCertificate returns a certificate for a new key, good unless it is changed.
func hostCertificate(t testing.TB, ca ssh.Signer, change func(*ssh.Certificate)) *ssh.Certificate {
	t.Helper()
	cert := &ssh.Certificate{
		Key: ed25519Signer(t).PublicKey(), CertType: ssh.HostCert, KeyId: "edge-1", ValidPrincipals: []string{"edge-1.example"},
		ValidAfter: uint64(testNow.Add(-time.Hour).Unix()), ValidBefore: uint64(testNow.Add(time.Hour).Unix()),
	}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestHostCAVerify(t *testing.T) {
	first, second, foreign := ed25519Signer(t), ed25519Signer(t), ed25519Signer(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	oldCA := sshSigner(t, rsaKey, err)
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	curveCA := sshSigner(t, ecdsaKey, err)
	ca := &HostCA{Keys: []ssh.PublicKey{first.PublicKey(), second.PublicKey(), oldCA.PublicKey(), curveCA.PublicKey()}}
	at := func(from, until uint64) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = from, until }
	}
	now := uint64(testNow.Unix())
	for _, tt := range []struct {
		name   string
		by     ssh.Signer
		change func(*ssh.Certificate)
		want   error // nil = it will do
		detail string
	}{
		{name: "good", by: first},
		{name: "of the second CA", by: second},
		{name: "of a CA with an ECDSA key", by: curveCA},
		{name: "of a CA with an RSA key", by: oldCA},
		{name: "signed with SHA-1", by: withAlgorithm(t, oldCA, ssh.KeyAlgoRSA), want: ErrCertificate, detail: "SHA-2"},
		{name: "of another CA", by: foreign, want: ErrUnknownCA, detail: ssh.FingerprintSHA256(foreign.PublicKey())},
		{name: "of another CA, and expired", by: foreign, change: at(0, now-1), want: ErrUnknownCA},
		{name: "for a user", by: first, change: func(c *ssh.Certificate) { c.CertType = ssh.UserCert }, want: ErrWrongUsage, detail: "user"},
		{name: "for every host", by: first, change: func(c *ssh.Certificate) { c.ValidPrincipals = nil }, want: ErrCertificate, detail: "no principal"},
		{name: "critical option", by: first, change: func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"verify-required": ""} }, want: ErrCertificate, detail: "verify-required"},
		{name: "for ever", by: first, change: at(0, ssh.CertTimeInfinity)},
		{name: "since this second", by: first, change: at(now, now+1)},
		{name: "until this second", by: first, change: at(now-1, now), want: ErrExpired, detail: "was valid until"},
		{name: "from the next second on", by: first, change: at(now+1, now+2), want: ErrExpired, detail: "is valid from"},
		{name: "at no time", by: first, change: at(now, now), want: ErrCertificate, detail: "at no time"},
		{name: "from beyond time", by: first, change: at(1<<63, 1<<63+1), want: ErrCertificate},
		{name: "expired, with a critical option", by: first, change: func(c *ssh.Certificate) { c.ValidBefore, c.CriticalOptions = now, map[string]string{"x": ""} }, want: ErrCertificate},
	} {
		err := ca.Verify(hostCertificate(t, tt.by, tt.change), testNow)
		if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.detail) {
			t.Errorf("%s: %v, want %v with %q", tt.name, err, tt.want, tt.detail)
		}
	}
	forged := hostCertificate(t, first, nil)
	forged.ValidPrincipals = []string{"edge-2.example"}
	if err := ca.Verify(forged, testNow); !errors.Is(err, ErrCertificate) {
		t.Errorf("a principal was changed after the signature: %v", err)
	}
	if err := (*HostCA)(nil).Verify(hostCertificate(t, first, nil), testNow); !errors.Is(err, ErrUnknownCA) {
		t.Errorf("without a CA: %v", err)
	}
}

func TestHostCertificatesNameDevices(t *testing.T) {
	ca := &HostCA{NameDomain: "maker.example"}
	for _, tt := range []struct {
		principals []string
		name       string // "" = none
	}{
		{[]string{"edge-1"}, "edge-1"},
		{[]string{"EDGE-1.Maker.Example"}, "edge-1"},
		{[]string{"edge-1.other.example"}, ""},
		{[]string{"edge-1", "edge-1.maker.example"}, ""},
		{[]string{"edge 1"}, ""},
		{[]string{""}, ""},
	} {
		cert := &ssh.Certificate{ValidPrincipals: tt.principals}
		if name, err := ca.DeviceName(cert); name != tt.name || (err == nil) != (tt.name != "") {
			t.Errorf("%q: %q, %v", tt.principals, name, err)
		}
	}
	cert := &ssh.Certificate{ValidPrincipals: []string{"A.example", "2001:DB8::1", "not\nprintable", ""}}
	if names := HostPrincipals(cert); !slices.Equal(names, []string{"a.example", "2001:db8::1"}) {
		t.Errorf("principals %q", names)
	}
}
