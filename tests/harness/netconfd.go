package harness

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// NetconfdOptions chooses what the tests vary of yuma123's netconfd.
type NetconfdOptions struct {
	// Candidate makes the candidate the datastore to edit, with commit.
	Candidate bool
	// Base10 makes it a device that knows base:1.0 only.
	Base10 bool
	// MaxSessions bounds the channels of one connection; 0 is OpenSSH's default.
	MaxSessions int
	// Legacy makes it a device that signs with SHA-1 only: an RSA host key as
	// ssh-rsa, diffie-hellman-group14-sha1, hmac-sha1.
	Legacy bool
	// HostKey replaces the ed25519 key that is made for the device.
	HostKey *Key
	// AuthorizedKey may log in, besides the password.
	AuthorizedKey string
}

const systemNamespace = "urn:ietf:params:xml:ns:yang:ietf-system"

// editSystem is Device.Edit for devices with ietf-system.
func editSystem(value string) string {
	return `<system xmlns="` + systemNamespace + `"><location>` + value + `</location></system>`
}

// Netconfd is a netconfd of its own behind an OpenSSH server of its own.
type Netconfd struct {
	Device
	// Address is where its sshd listens.
	Address string
	netconf *Process
	sshd    *Process
}

// NewNetconfd starts yuma123's netconfd and OpenSSH's sshd in front of it. It
// does not call home yet.
func NewNetconfd(t testing.TB, o NetconfdOptions) *Netconfd {
	t.Helper()
	Need(t, "root", "netconfd", "sshd")
	ensureLabUser(t)
	d := &Netconfd{Device: Device{
		Kind: "netconfd", Username: labUser, Password: Password, Target: "running",
		edit: editSystem,
	}}
	if o.Candidate {
		d.Target = "candidate"
	}
	switch {
	case o.HostKey != nil:
		d.HostKey = *o.HostKey
	case o.Legacy:
		d.HostKey = NewRSAKey(t)
	default:
		d.HostKey = NewKey(t)
	}
	dir := shortTempDir(t)
	socket := filepath.Join(dir, "ncx.sock")
	d.netconf = startNetconfd(t, dir, socket, d.Target, o)
	d.Address = net.JoinHostPort(Address(t), sshdPort)
	subsystem := "/usr/sbin/netconf-subsystem --ncxserver-sockname=" + sshdPort + "@" + socket
	d.sshd = startSSHD(t, dir, d.Address, d.HostKey, subsystem, o)
	d.Output, d.Alive = d.sshd.Output, d.netconf.Running
	d.call = func(t testing.TB, gateway string) Call { return d.CallHomeFrom(t, "", gateway) }
	return d
}

// CallHomeFrom calls once, from a loopback address of the test's choice.
func (d *Netconfd) CallHomeFrom(t testing.TB, source, gateway string) *SplicedCall {
	t.Helper()
	return &SplicedCall{NewSplice(t, source, gateway, d.Address)}
}

// SplicedCall is a call of a device behind a Splice.
type SplicedCall struct{ *Splice }

// Kill resets the connection.
func (c *SplicedCall) Kill() { c.Reset() }

func startNetconfd(t testing.TB, dir, socket, target string, o NetconfdOptions) *Process {
	t.Helper()
	args := []string{
		"--modpath=/usr/share/yuma/modules", "--module=ietf-system",
		"--no-startup", "--target=" + target, "--superuser=" + labUser,
		// an SSH server whose port is not named here gets no session
		"--port=" + sshdPort, "--ncxserver-sockname=" + socket,
		"--log-level=debug",
	}
	if o.Base10 {
		args = append(args, "--protocols=netconf1.0")
	}
	cmd := exec.Command("/usr/sbin/netconfd", args...)
	cmd.Dir = dir
	// it reads and writes beside HOME's .yuma, and no test may meet another's
	cmd.Env = append(os.Environ(), "HOME="+dir)
	p := Start(t, "netconfd", cmd)
	Eventually(t, 20*time.Second, "netconfd's socket", func() bool {
		if !p.Running() {
			t.Fatalf("netconfd ended:\n%s", p.Output.tail())
		}
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	// the subsystem runs as the system user
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	return p
}
