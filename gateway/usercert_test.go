package gateway

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// certify returns the signer with a certificate for principal "noc", changed by
// change.
func certify(t testing.TB, ca, key ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.UserCert, KeyId: "noc's laptop", ValidPrincipals: []string{"noc"},
		ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	certified, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return certified
}

// rsaSigner returns a key that makes signatures of this one algorithm.
func rsaSigner(t testing.TB, algorithm string) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err == nil {
		s, err = ssh.NewSignerWithAlgorithms(s.(ssh.AlgorithmSigner), []string{algorithm})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoginByUserCertificate(t *testing.T) {
	ca := signer(t, 50)
	opts := nocOptions(t)
	opts.UserCAs = []ssh.PublicKey{ca.PublicKey()}
	opts.Managers = append(opts.Managers, auth.Manager{Name: "ops", Principals: []string{"netops"}, Devices: []string{"*"}})
	h := serve(t, opts).with(t, "edge-1", "core-1")
	key := signer(t, 9)
	from := func(list string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"source-address": list} }
	}
	for _, c := range []struct {
		name, user string
		key        ssh.Signer
		want       string // in the log; empty when it logs in
	}{
		{"ed25519", "noc@edge-1", certify(t, ca, key, nil), ""},
		{"rsa-sha2-256", "noc@edge-1", certify(t, ca, rsaSigner(t, ssh.KeyAlgoRSASHA256), nil), ""},
		{"rsa-sha2-512", "noc@edge-1", certify(t, ca, rsaSigner(t, ssh.KeyAlgoRSASHA512), nil), ""},
		{"a principal that is no name", "ops@core-1", certify(t, ca, key, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"netops"} }), ""},
		{"from loopback", "noc@edge-1", certify(t, ca, key, from("192.0.2.0/24,127.0.0.0/8")), ""},
		{"from elsewhere", "noc@edge-1", certify(t, ca, key, from("192.0.2.0/24")), "does not have 127.0.0.1"},
		{"another CA", "noc@edge-1", certify(t, signer(t, 51), key, nil), "CA " + ssh.FingerprintSHA256(signer(t, 51).PublicKey())},
		{"another manager", "admin@edge-1", certify(t, ca, key, nil), "are not those of manager admin"},
		{"another device", "noc@core-1", certify(t, ca, key, nil), auth.ErrDeviceDenied.Error()},
		{"expired", "noc@edge-1", certify(t, ca, key, func(c *ssh.Certificate) { c.ValidBefore = 1 }), "it was valid until 1970-01-01T00:00:01Z"},
		{"a command", "noc@edge-1", certify(t, ca, key, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }), "force-command"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := password(c.user, "")
			// Whoever offers a certificate offers the key alone as well.
			config.Auth = []ssh.AuthMethod{ssh.PublicKeys(c.key, key)}
			client, err := ssh.Dial("tcp", address(h.opts.Port), config)
			if c.want != "" {
				if !strings.Contains(err.Error(), "attempted methods [none publickey], no supported methods remain") {
					t.Errorf("the manager is told %v", err)
				}
				eventually(t, "refusal in the log", func() bool { return len(h.log.linesWith(c.want)) > 0 })
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if got := hello(t, client).get(); !strings.Contains(got, "<ok/>") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// SHA-1 is refused from a manager's own key as well, not only from the CA's.
func TestCertificateKeysMakeNoSHA1Signatures(t *testing.T) {
	ca := signer(t, 50)
	opts := nocOptions(t)
	opts.UserCAs = []ssh.PublicKey{ca.PublicKey()}
	h := serve(t, opts)
	config := password("noc@edge-1", "")
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(certify(t, ca, rsaSigner(t, ssh.KeyAlgoRSA), nil))}
	if client, err := ssh.Dial("tcp", address(h.opts.Port), config); err == nil {
		client.Close()
		t.Error("a SHA-1 signature was accepted")
	}
}
