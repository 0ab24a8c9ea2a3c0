package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestExitStatus(t *testing.T) {
	tests := []struct {
		args string
		want int
	}{
		{"--help", exitOK},
		{"", exitUsage},
		{"--nonsense", exitUsage},
		{"--connect 127.0.0.1:1 --password x --host-key /nonexistent/key", exitFailed},
		{"--connect 127.0.0.1:1 --password x --host-ca /nonexistent/ca", exitFailed},
		{"--connect 127.0.0.1:1 --password x --host-domain example.net", exitUsage},
		{"--connect 127.0.0.1:1 --password x --username a,,b", exitUsage},
		{"--connect 127.0.0.1:1 --password x --legacy-algorithms --seed x", exitUsage},
	}
	for _, tt := range tests {
		if got := run(strings.Fields(tt.args), io.Discard, io.Discard); got != tt.want {
			t.Errorf("%q: exit status %d, want %d", tt.args, got, tt.want)
		}
	}
}

// TestCallsHome runs the command with keys from files: the device prints the
// fingerprint of its host key, a manager
// logs in with the authorized one, and SIGTERM ends it well.
func TestCallsHome(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hostKey, hostFile := writeKey(t, "host")
	login, _ := writeKey(t, "login")
	authorized := filepath.Join(t.TempDir(), "authorized_keys")
	text := append([]byte("# who may log in\n"), ssh.MarshalAuthorizedKey(login.PublicKey())...)
	if err := os.WriteFile(authorized, text, 0o600); err != nil {
		t.Fatal(err)
	}

	var stdout bytes.Buffer
	var status int
	var wg sync.WaitGroup
	wg.Go(func() {
		status = run([]string{"--connect", l.Addr().String(), "--name", "edge", "--host-key", hostFile,
			"--authorized-key", authorized, "--username", "admin", "--log-level", "off"}, &stdout, io.Discard)
	})

	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	c, _, _, err := ssh.NewClientConn(conn, "device", &ssh.ClientConfig{
		User: "admin", Auth: []ssh.AuthMethod{ssh.PublicKeys(login)},
		HostKeyCallback: ssh.FixedHostKey(hostKey.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil { // run has set up its handler
		t.Fatal(err)
	}
	wg.Wait()
	if status != exitOK {
		t.Errorf("exit status %d after SIGTERM", status)
	}
	if want := "edge " + ssh.FingerprintSHA256(hostKey.PublicKey()) + "\n"; stdout.String() != want {
		t.Errorf("printed %q, want %q", &stdout, want)
	}
}

// writeKey makes a key and the file of it.
func writeKey(t *testing.T, name string) (ssh.Signer, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer, path
}
