package harness

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// Key is an SSH key pair in files, as the programs want it.
type Key struct {
	Signer ssh.Signer
	// Path is the private key in OpenSSH's format; the public one is beside
	// it with ".pub".
	Path string
}

// Fingerprint is what a session entry pins.
func (k Key) Fingerprint() string { return ssh.FingerprintSHA256(k.Signer.PublicKey()) }

// AuthorizedKey is the public key on one line, without its line end.
func (k Key) AuthorizedKey() string {
	line := ssh.MarshalAuthorizedKey(k.Signer.PublicKey())
	return string(line[:len(line)-1])
}

// NewKey makes an ed25519 key in a directory of its own.
func NewKey(t testing.TB) Key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return writeKey(t, private)
}

// NewRSAKey makes an RSA key of 2048 bits.
func NewRSAKey(t testing.TB) Key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return writeKey(t, private)
}

func writeKey(t testing.TB, private crypto.Signer) Key {
	t.Helper()
	signer, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, pem.EncodeToMemory(block), 0o600)
	write(t, path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644)
	return Key{Signer: signer, Path: path}
}

// PasswordHash is a cheap bcrypt hash for a manager entry: the tests do not
// measure how hard it is to guess.
func PasswordHash(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func write(t testing.TB, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
}
