package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds the key files, in bytes.
const maxKeyFile = 1 << 20

// readKeys reads the key files.
func (f *flags) readKeys(o *devicesim.FleetOptions) error {
	if f.hostKey != "" {
		key, err := readKey("host key", f.hostKey)
		if err != nil {
			return err
		}
		o.HostKeys = []ssh.Signer{key}
	}
	if f.hostCA != "" {
		var err error
		if o.HostCA, err = readKey("host CA", f.hostCA); err != nil {
			return err
		}
	}
	if f.authorizedKey != "" {
		text, err := readFile(f.authorizedKey)
		if err != nil {
			return fmt.Errorf("read authorized keys: %w", err)
		}
		if o.AuthorizedKeys, err = authorizedKeys(text); err != nil {
			return fmt.Errorf("authorized keys %s: %w", f.authorizedKey, err)
		}
	}
	return nil
}

// readKey reads a private key, which is called what in errors.
func readKey(what, path string) (ssh.Signer, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, path, err)
	}
	return key, nil
}

func authorizedKeys(text []byte) ([]ssh.PublicKey, error) {
	var keys []ssh.PublicKey
	for len(strings.TrimSpace(string(text))) > 0 {
		key, _, _, rest, err := ssh.ParseAuthorizedKey(text)
		if err != nil {
			if len(keys) > 0 {
				return keys, nil // comments at the end
			}
			return nil, err
		}
		keys = append(keys, key)
		text = rest
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return keys, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxKeyFile)
	}
	return text, err
}
