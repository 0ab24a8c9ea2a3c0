package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// sshKeygen runs OpenSSH's ssh-keygen.
func sshKeygen(t *testing.T, arguments ...string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, arguments...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %q: %v\n%s", arguments, err, out)
	}
}

// Certificates that ssh-keygen has signed log OpenSSH in, and the log says of
// the others what is wrong with them.
func TestManagersLogInByOpenSSHCertificates(t *testing.T) {
	t.Parallel()
	harness.Need(t, "ssh")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	var cas []string
	for name, kind := range map[string]string{"ca": "ed25519", "rsa-ca": "rsa", "other-ca": "ecdsa"} {
		sshKeygen(t, "-t", kind, "-N", "", "-f", file(name))
		if name != "other-ca" {
			cas = append(cas, fmt.Sprintf("file(%q)", file(name+".pub")))
		}
	}
	g, _ := simulatorLab(t, harness.Config{
		Gateway: []string{"user_ca = [" + strings.Join(cas, ", ") + "]"},
		Blocks:  []string{"manager \"ops\" {\n  devices = [\"edge-*\"]\n  principals = [\"netops\"]\n}\n"},
	}, devicesim.Options{})
	for i, c := range []struct {
		name, user, key string
		sign            []string
		want            string // in the log; empty when it logs in
	}{
		{"ed25519", "noc", "ed25519", []string{"-s", file("ca"), "-n", "noc", "-V", "+1h"}, ""},
		{"ecdsa", "noc", "ecdsa", []string{"-s", file("ca"), "-n", "guest,noc", "-V", "+1h"}, ""},
		{"rsa", "noc", "rsa", []string{"-s", file("ca"), "-n", "noc", "-V", "+1h"}, ""},
		{"a CA with an RSA key", "noc", "ed25519", []string{"-s", file("rsa-ca"), "-t", "rsa-sha2-256", "-n", "noc"}, ""},
		{"another principal of the manager", "ops", "ed25519", []string{"-s", file("ca"), "-n", "netops"}, ""},
		{"from here", "noc", "ed25519", []string{"-s", file("ca"), "-n", "noc", "-O", "source-address=127.0.0.0/8"}, ""},
		{"from elsewhere", "noc", "ed25519", []string{"-s", file("ca"), "-n", "noc", "-O", "source-address=192.0.2.0/24"}, "source-address"},
		{"SHA-1", "noc", "ed25519", []string{"-s", file("rsa-ca"), "-t", "ssh-rsa", "-n", "noc"}, `signed with \"ssh-rsa\"`},
		{"expired", "noc", "ed25519", []string{"-s", file("ca"), "-n", "noc", "-V", "20200101:20200102"}, "it was valid until 2020-01-0"},
		{"not yet valid", "noc", "ed25519", []string{"-s", file("ca"), "-n", "noc", "-V", "+1h:+2h"}, "it is valid from"},
		{"no principal", "noc", "ed25519", []string{"-s", file("ca")}, "no principal"},
		{"another's principal", "ops", "ed25519", []string{"-s", file("ca"), "-n", "noc"}, "are not those of manager ops"},
		{"another CA", "noc", "ed25519", []string{"-s", file("other-ca"), "-n", "noc"}, "its CA is not among"},
		{"a command", "noc", "ed25519", []string{"-s", file("ca"), "-n", "noc", "-O", "force-command=netconf"}, "force-command"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := file(fmt.Sprint("id-", i))
			sshKeygen(t, "-t", c.key, "-N", "", "-f", key)
			id := fmt.Sprint("certificate ", i)
			sshKeygen(t, append(c.sign, "-I", id, "-z", "42", key+".pub")...)
			if _, err := os.Stat(key + "-cert.pub"); err != nil {
				t.Fatal(err)
			}
			target := g.KeyTarget(devicePort)
			target.Username, target.KeyPath = c.user, key
			if c.want == "" {
				s := harness.ConnectOpenSSH(t, target, harness.Base11)
				if reply, err := s.RPC(harness.ReplyTimeout, soundOperation); err != nil {
					t.Fatalf("%v: %s", err, reply)
				}
				return
			}
			p := harness.Start(t, "ssh", harness.OpenSSH(t, target, "-s", "netconf"))
			waitFor(t, p)
			if !p.Output.Contains("Permission denied (publickey,password)") && !p.Output.Contains("Permission denied (password,publickey)") {
				t.Errorf("the manager is told %s", p.Output)
			}
			harness.Eventually(t, harness.ReplyTimeout, "a line about "+id, func() bool {
				for _, line := range g.Output.Lines(id) {
					if strings.Contains(line, c.want) && strings.Contains(line, "serial 42") {
						return true
					}
				}
				return false
			})
		})
	}
}
