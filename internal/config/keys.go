package config

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// keyError is what is wrong with a key, and what to do. It never quotes the key.
type keyError struct {
	what, hint string
	encrypted  bool
}

func (e *keyError) Error() string {
	if e.hint == "" {
		return e.what
	}
	return e.what + ": " + e.hint
}

// parsePrivateKey reads a key in PEM or OpenSSH's format; the passphrase is for
// encrypted ones.
func parsePrivateKey(text []byte, passphrase auth.Secret) (ssh.Signer, *keyError) {
	// OpenSSH's format is read line by line, and the last newline may be gone.
	text = append(bytes.TrimSpace(text), '\n')
	key, err := ssh.ParsePrivateKey(text)
	var missing *ssh.PassphraseMissingError
	if !errors.As(err, &missing) {
		return key, privateKeyError(text, err)
	}
	if passphrase == "" {
		return nil, &keyError{encrypted: true, what: "the private key is encrypted, and there is no passphrase", hint: `set private_key_passphrase, as in private_key_passphrase = env("KEY_PASSPHRASE")`}
	}
	key, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase.Reveal()))
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, &keyError{encrypted: true, what: "private_key_passphrase does not decrypt the private key"}
	}
	return key, privateKeyError(text, err)
}

func privateKeyError(text []byte, err error) *keyError {
	switch {
	case err == nil:
		return nil
	case bytes.HasPrefix(text, []byte("PuTTY-")):
		return &keyError{what: "this is a key of PuTTY", hint: "convert it with puttygen -O private-openssh"}
	case isPublicKey(text):
		return &keyError{what: "this is a public key", hint: `the private one is in the file without ".pub"`}
	case !bytes.HasPrefix(text, []byte("-----BEGIN")):
		return &keyError{what: "this is not a private key", hint: `give the contents of a key file, as in file("keys/fleet"), not its name`}
	}
	return &keyError{what: "the private key cannot be decoded", hint: "it must be a whole key file in OpenSSH's format or PEM, as ssh-keygen writes it"}
}

func isPublicKey(text []byte) bool {
	_, _, _, _, err := ssh.ParseAuthorizedKey(text)
	return err == nil
}

// parsePublicKey reads one line of an authorized_keys or .pub file. Options
// are refused: to ignore a restriction such as from= would open a door.
func parsePublicKey(line string) (ssh.PublicKey, *keyError) {
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil && !strings.HasPrefix(line, "@"): // a marker of known_hosts
		return nil, &keyError{what: "this is not a public key", hint: `a public key is one line as in a .pub file: "ssh-ed25519 AAAA…"`}
	case err != nil || len(options) > 0:
		return nil, &keyError{what: "there is something before the type of the key", hint: `options and host names are not supported: begin with the type, as in "ssh-ed25519 AAAA…"`}
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return nil, &keyError{what: "this is a certificate", hint: "give the plain public key"}
	}
	return key, nil
}

// parsePin reads a host key to expect: its fingerprint, with its type before it
// or without, or the whole key.
func parsePin(s string) (auth.Identity, *keyError) {
	if typ, fingerprint, ok := strings.Cut(s, " "); ok && strings.HasPrefix(fingerprint, "SHA256:") {
		pin, err := parsePin(fingerprint)
		if err == nil && !slices.Contains(auth.HostKeyTypes(), typ) {
			return pin, &keyError{what: fmt.Sprintf("%.80q is not a type of host keys", typ), hint: "it is " + alternatives(auth.HostKeyTypes())}
		}
		pin.Type = typ
		return pin, err
	}
	if !strings.HasPrefix(s, "SHA256:") {
		if oldFingerprint(s) {
			return auth.Identity{}, &keyError{what: "this is an MD5 fingerprint", hint: "MD5 can be forged: ssh-keygen -l prints the SHA256 one"}
		}
		key, err := parsePublicKey(s)
		if err != nil {
			err.hint = `a pin is a fingerprint as ssh-keygen -l prints it, "SHA256:…", "ssh-ed25519 SHA256:…", or the public key, "ssh-ed25519 AAAA…"`
			return auth.Identity{}, err
		}
		return auth.SSHIdentity(key), nil
	}
	fingerprint, err := auth.ParseSSHFingerprint(s)
	if err != nil {
		return auth.Identity{}, &keyError{what: fmt.Sprintf("%q is not a fingerprint", s), hint: `"SHA256:" is followed by 43 characters of base64, as ssh-keygen -l prints it`}
	}
	return auth.Identity{Fingerprint: fingerprint}, nil
}

func oldFingerprint(s string) bool {
	return strings.Count(strings.TrimPrefix(s, "MD5:"), ":") == 15
}
