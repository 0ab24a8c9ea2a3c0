package devicesim

import (
	"net"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestHostCertificates: a client that asks for a certificate gets one for the
// device's name, and one that asks for the bare key gets that.
func TestHostCertificates(t *testing.T) {
	ca := newSigner(t)
	o := testOptions(t)
	o.HostKeys = nil
	f, err := NewFleet(FleetOptions{Options: o, Count: 2, Seed: "fleet", HostCA: ca, HostDomain: "example.net"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := KeyFromSeed("fleet", 1)
	if err != nil {
		t.Fatal(err)
	}
	second := f.Devices[1]
	if want := []string{ssh.FingerprintSHA256(key.PublicKey())}; !slices.Equal(second.Fingerprints(), want) {
		t.Errorf("fingerprints %v, want %v", second.Fingerprints(), want)
	}
	shown := hostKey(t, second, ssh.CertAlgoED25519v01)
	certificate, ok := shown.(*ssh.Certificate)
	if !ok || !slices.Equal(certificate.ValidPrincipals, []string{"dev-2.example.net"}) {
		t.Fatalf("it shows %+v", shown)
	}
	checker := ssh.CertChecker{}
	if err := checker.CheckCert("dev-2.example.net", certificate); err != nil {
		t.Error(err)
	}
	if string(certificate.SignatureKey.Marshal()) != string(ca.PublicKey().Marshal()) {
		t.Error("another CA has signed it")
	}
	if bare := hostKey(t, second, ssh.KeyAlgoED25519); ssh.FingerprintSHA256(bare) != ssh.FingerprintSHA256(key.PublicKey()) {
		t.Errorf("without certificates it shows %+v", bare)
	}
}

// hostKey returns what the device shows to those who ask for this algorithm.
func hostKey(t *testing.T, d *Device, algorithm string) (shown ssh.PublicKey) {
	t.Helper()
	conn, _, _, err := ssh.NewClientConn(serve(t, d), "device", &ssh.ClientConfig{
		User: "user", Auth: []ssh.AuthMethod{ssh.Password("secret")}, HostKeyAlgorithms: []string{algorithm},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { shown = key; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	return shown
}
