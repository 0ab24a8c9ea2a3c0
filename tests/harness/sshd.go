package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// labUser is the system user that the gateway logs in as on sshd: sshd knows
// no others than those of the system.
const (
	labUser  = "chgw-lab"
	sshdPort = "10830"
)

// NewProcessPerSession starts OpenSSH's sshd with a netconf subsystem that is
// a process of its own for each session: none waits for another one's. It
// calls home once, and has no configuration to edit. Of the options those count
// that are sshd's.
func NewProcessPerSession(t testing.TB, o NetconfdOptions) *Device {
	t.Helper()
	Need(t, "root", "sshd")
	ensureLabUser(t)
	dir := shortTempDir(t)
	script, err := os.ReadFile(filepath.Join(repository(t), "tests", "peers", "subsystem", "netconf.py"))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "netconf.py") // where the lab user may read it
	write(t, copied, script, 0o755)
	address, key := net.JoinHostPort(Address(t), sshdPort), NewKey(t)
	sshd := startSSHD(t, dir, address, key, copied, o)
	return &Device{
		Kind: "sshd", HostKey: key, Username: labUser, Password: Password, Target: "running", BlobNamespace: testDevice,
		Output: sshd.Output, Alive: sshd.Running,
		call: func(t testing.TB, gateway string) Call { return &SplicedCall{NewSplice(t, "", gateway, address)} },
	}
}

func startSSHD(t testing.TB, dir, address string, key Key, subsystem string, o NetconfdOptions) *Process {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	lines := []string{
		"ListenAddress " + host, "Port " + port, "PidFile none",
		"HostKey " + key.Path, "UsePAM no", "StrictModes no", "LogLevel DEBUG1",
		"AllowUsers " + labUser,
		"Subsystem netconf " + subsystem,
	}
	if o.MaxSessions > 0 {
		lines = append(lines, fmt.Sprintf("MaxSessions %d", o.MaxSessions))
	}
	if o.Legacy {
		lines = append(lines, "HostKeyAlgorithms ssh-rsa", "KexAlgorithms diffie-hellman-group14-sha1", "MACs hmac-sha1",
			"Ciphers aes128-ctr", "PubkeyAcceptedAlgorithms +ssh-rsa")
	}
	authorized := filepath.Join(dir, "authorized_keys")
	write(t, authorized, []byte(o.AuthorizedKey+"\n"), 0o644)
	lines = append(lines, "AuthorizedKeysFile "+authorized)
	config := filepath.Join(dir, "sshd_config")
	write(t, config, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	// sshd wants this directory, which systemd makes elsewhere
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	p := Start(t, "sshd", exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", config))
	p.Output.Await(t, 10*time.Second, "Server listening on")
	return p
}

// shortTempDir is a directory that the lab user may enter, and whose name
// leaves room for a Unix socket's: sun_path has 108 bytes.
func shortTempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chgw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

var labUserOnce sync.Once

// ensureLabUser adds the system user, once for all time.
func ensureLabUser(t testing.TB) {
	t.Helper()
	labUserOnce.Do(func() {
		if _, err := user.Lookup(labUser); err == nil {
			return
		}
		run(t, exec.Command("useradd", "--create-home", "--shell", "/bin/bash", labUser))
		cmd := exec.Command("chpasswd")
		cmd.Stdin = strings.NewReader(labUser + ":" + Password + "\n")
		run(t, cmd)
	})
}

// run runs a command that must succeed and returns what it wrote.
func run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
