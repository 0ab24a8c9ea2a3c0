package harness

import (
	"io"
	"os/exec"
	"testing"
)

// ConnectOpenSSH opens a session through OpenSSH's client, ssh -s, offering
// these base versions. The target must have a key: there is no terminal to ask
// for a password on.
func ConnectOpenSSH(t testing.TB, target Target, bases ...string) *Session {
	t.Helper()
	s := NewSession(StartOpenSSH(t, target))
	if err := s.Open(ReplyTimeout, bases...); err != nil {
		t.Fatalf("ssh: opening a session at %s: %v", target.Address, err)
	}
	return s
}

// StartOpenSSH starts ssh -s and returns its standard input and output; what
// it says on standard error is shown when the test fails.
func StartOpenSSH(t testing.TB, target Target) io.ReadWriteCloser {
	t.Helper()
	in, out := startPiped(t, "ssh", OpenSSH(t, target, "-s", "netconf"))
	return struct {
		io.Reader
		io.WriteCloser
	}{out, in}
}

// OpenSSH is a run of OpenSSH's client that asks nobody anything.
func OpenSSH(t testing.TB, target Target, arguments ...string) *exec.Cmd {
	t.Helper()
	Need(t, "ssh")
	options := []string{
		"-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-i", target.KeyPath,
		"-p", target.Port(), "-l", target.Username, target.Host(),
	}
	return exec.Command("/usr/bin/ssh", append(options, arguments...)...)
}
