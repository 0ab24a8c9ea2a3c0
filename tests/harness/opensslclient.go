package harness

import (
	"io"
	"os/exec"
	"testing"
)

// ConnectOpenSSL opens a session through "openssl s_client", offering these
// base versions.
func ConnectOpenSSL(t testing.TB, target TLSTarget, bases ...string) *Session {
	t.Helper()
	Need(t, "openssl")
	in, out := startPiped(t, "openssl s_client", OpenSSL(target))
	s := NewSession(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	if err := s.Open(ReplyTimeout, bases...); err != nil {
		t.Fatalf("openssl: opening a session at %s: %v", target.Address, err)
	}
	return s
}

// OpenSSL is a run of OpenSSL's client that believes only the target's CA, and
// takes nothing of what it carries for a command.
func OpenSSL(target TLSTarget) *exec.Cmd {
	options := []string{
		"s_client", "-quiet", "-connect", target.Address, "-CAfile", target.Servers.Path,
		"-verify_return_error", "-verify_hostname", target.name(),
	}
	if target.Certificate.Path != "" {
		options = append(options, "-cert", target.Certificate.Path, "-key", target.Certificate.KeyPath, "-cert_chain", target.Certificate.Path)
	}
	if target.ServerName == "" {
		options = append(options, "-noservername")
	} else {
		options = append(options, "-servername", target.ServerName)
	}
	return openssl(options...)
}

func openssl(arguments ...string) *exec.Cmd { return exec.Command("/usr/bin/openssl", arguments...) }
