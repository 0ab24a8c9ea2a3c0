package tests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/tests/harness"

	"golang.org/x/crypto/ssh"
)

// x/crypto never ends a connection whose peer has broken the protocol with
// more packets behind the offence: the gateway ends the link all the same, and
// leaves the device alone when it has done that a few times.
func TestADeviceThatBreaksTheProtocolLosesItsLinkAndNothingHangs(t *testing.T) {
	t.Parallel()
	harness.Need(t, "ncclient") // brings paramiko
	key := pemKey(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`reject_delay = "0s"`},
		Blocks: []string{
			harness.UserEntry("fleet", "netconf", harness.Password),
			harness.SessionEntry("broken", key, "fleet", devicePort),
		},
	})
	brokenCalls(t, g, key, "3", "broken broken broken")
	g.AwaitDevice(t, 10*time.Second, "to be away", func(d control.Device) bool { return d.State == control.StateAway })
	g.Output.Await(t, 30*time.Second, "times=3")
	brokenCalls(t, g, key, "2", "rejected rejected")
	g.Output.Await(t, 10*time.Second, string(callhome.RejectedLimit))
	g.Stop(t)
}

// pemKey makes an ECDSA key in a file of the format of RFC 5915: paramiko 2.12
// cannot read every one in OpenSSH's.
func pemKey(t *testing.T) harness.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return harness.Key{Signer: signer, Path: path}
}

// brokenCalls has the device call, and checks how far it gets.
func brokenCalls(t *testing.T, g *harness.Gateway, key harness.Key, calls, want string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(g.CallHome())
	script := filepath.Join("peers", "paramiko", "broken.py")
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", script, host, port, key.Path, calls).CombinedOutput()
	if err != nil {
		t.Fatalf("the device: %v: %s", err, out)
	}
	if got := strings.Join(strings.Fields(string(out)), " "); got != want {
		t.Errorf("%s calls ended as %q, want %q", calls, got, want)
	}
}
