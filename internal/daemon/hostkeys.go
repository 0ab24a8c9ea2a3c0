package daemon

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// hostKeyFiles are the host keys that are made at the first start. There is an
// ECDSA one beside the Ed25519 one for managers that know no Ed25519; RSA is
// not needed by any manager that we know.
var hostKeyFiles = []struct {
	name     string
	generate func() (crypto.PrivateKey, error)
}{
	{"ssh_host_ed25519_key", func() (crypto.PrivateKey, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
	{"ssh_host_ecdsa_key", func() (crypto.PrivateKey, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}},
}

// hostKeys returns the gateway's own host keys, which are kept in dir: managers
// pin them, so they must not change.
func hostKeys(dir string) ([]ssh.Signer, error) {
	var signers []ssh.Signer
	for _, file := range hostKeyFiles {
		path := filepath.Join(dir, file.name)
		signer, err := readHostKey(path)
		if errors.Is(err, fs.ErrNotExist) {
			signer, err = makeHostKey(path, file.generate)
		}
		if err != nil {
			return nil, fmt.Errorf("host key %s: %w", path, err)
		}
		signers = append(signers, signer)
	}
	return signers, nil
}

func readHostKey(path string) (ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%w; to get a new one, which all managers will notice, move the file away", err)
	}
	return signer, nil
}

func makeHostKey(path string, generate func() (crypto.PrivateKey, error)) (ssh.Signer, error) {
	key, err := generate()
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "callhome-gateway")
	if err != nil {
		return nil, err
	}
	if err := writeWhole(path, pem.EncodeToMemory(block)); err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}

// writeWhole writes a secret under another name first: a crash leaves the whole
// file or none.
func writeWhole(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
