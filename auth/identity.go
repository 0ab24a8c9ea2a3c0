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
// identities are equal when they are the same key or the same certificate.
type Identity struct {
	// Type is the SSH key type, for example "ssh-ed25519", or one of
	// TypeCertificate and TypeCertificateKey.
	Type string
	// Fingerprint is "SHA256:" and the SHA-256 digest: of an SSH key in unpadded
	// base64, as ssh-keygen -l prints it, and of a certificate in upper-case hex
	// digits with colons, as openssl x509 -fingerprint -sha256 prints it.
	Fingerprint string
}

// SSHIdentity returns the identity that is the given host key.
func SSHIdentity(key ssh.PublicKey) Identity {
	return Identity{Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key)}
}

// String returns the fingerprint: it names the key without its type, as the
// tools that operators compare it with do.
func (i Identity) String() string { return i.Fingerprint }

// How much of a fingerprint must be given, after "SHA256:": 48 bits, so that
// nobody makes a key that begins like another and is approved in its place.
const (
	MinFingerprint    = 8  // characters of base64
	MinFingerprintHex = 12 // hex digits, colons not counted
)

// Matches reports whether ref is the fingerprint or its beginning, with or
// without "SHA256:". Of a certificate's, upper and lower case are the same, the
// colons may be missing, and it may begin with openssl's "sha256 Fingerprint=".
func (i Identity) Matches(ref string) bool {
	digits, ok := strings.CutPrefix(i.Fingerprint, fingerprintPrefix)
	switch {
	case !ok:
		return false
	case isColonHex(digits):
		return beginsHex(digits, cutFingerprintLabel(ref))
	}
	ref = strings.TrimPrefix(ref, fingerprintPrefix)
	return len(ref) >= MinFingerprint && strings.HasPrefix(digits, ref)
}

// IsZero reports whether nothing was proved.
func (i Identity) IsZero() bool { return i.Fingerprint == "" }

// Digest returns the SHA-256 digest that the fingerprint writes out, or nil
// when the fingerprint is malformed.
func (i Identity) Digest() []byte {
	digits := strings.TrimPrefix(i.Fingerprint, fingerprintPrefix)
	var digest []byte
	if isColonHex(digits) {
		digest, _ = decodeHex(digits)
	} else {
		digest, _ = base64.RawStdEncoding.DecodeString(digits)
	}
	if len(digest) != sha256.Size {
		return nil
	}
	return digest
}
