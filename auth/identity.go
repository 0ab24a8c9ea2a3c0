// Package auth knows who may do what: the identities that devices prove, the
// credentials that log in to them, what is trusted, and the managers with
// their access rules. It knows no sockets.
package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/ssh"
)

const fingerprintPrefix = "SHA256:"

// Identity is what a device proved in the handshake. It is comparable, and two
// identities are equal when they are the same key.
type Identity struct {
	// Type is the SSH key type, for example "ssh-ed25519".
	Type string
	// Fingerprint is "SHA256:" and the unpadded base64 of the SHA-256 digest,
	// as ssh-keygen -l prints it.
	Fingerprint string
}

// SSHIdentity returns the identity that is the given host key.
func SSHIdentity(key ssh.PublicKey) Identity {
	return Identity{Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key)}
}

// String returns the fingerprint: it names the key without its type, as the
// tools that operators compare it with do.
func (i Identity) String() string { return i.Fingerprint }

// MinFingerprint is how much of a fingerprint must be given, after "SHA256:":
// 48 bits, so that nobody makes a key that begins like another and is approved
// in its place.
const MinFingerprint = 8

// Matches reports whether ref is the fingerprint or its beginning, with or
// without "SHA256:".
func (i Identity) Matches(ref string) bool {
	digits := strings.TrimPrefix(ref, fingerprintPrefix)
	return len(digits) >= MinFingerprint && strings.HasPrefix(i.Fingerprint, fingerprintPrefix+digits)
}

// IsZero reports whether nothing was proved.
func (i Identity) IsZero() bool { return i.Fingerprint == "" }

// Digest returns the SHA-256 digest that the fingerprint writes out, or nil
// when the fingerprint is malformed.
func (i Identity) Digest() []byte {
	digest, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(i.Fingerprint, fingerprintPrefix))
	if err != nil || len(digest) != sha256.Size {
		return nil
	}
	return digest
}
