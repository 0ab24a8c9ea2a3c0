package auth

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxHexFingerprint is as long as a SHA-512 digest with colons and more.
const maxHexFingerprint = 200

// ParseCertificateFingerprint reads the SHA-256 fingerprint of a certificate or
// of its key and returns it in the form of Identity.Fingerprint. It takes hex
// digits of any case, with or without colons, and before them "SHA256:",
// nothing, or what openssl x509 and openssl dgst print there. The error says
// what it looks like.
func ParseCertificateFingerprint(s string) (string, error) {
	digest, ok := decodeHex(cutFingerprintLabel(s))
	switch {
	case ok && len(digest) == sha256.Size:
		return fingerprintPrefix + colonHex(digest), nil
	case ok && len(digest) == sha1.Size:
		return "", fmt.Errorf("%.80q is a SHA-1 fingerprint: take that of openssl x509 -fingerprint -sha256", s)
	case ok:
		return "", fmt.Errorf("%.80q has %d bytes, and a SHA-256 fingerprint %d", s, len(digest), sha256.Size)
	case (Identity{Fingerprint: s}).Digest() != nil:
		return "", fmt.Errorf("%.80q is the fingerprint of an SSH key: take that of openssl x509 -fingerprint -sha256", s)
	}
	return "", fmt.Errorf("%.80q is no fingerprint of a certificate: openssl x509 -fingerprint -sha256 prints it", s)
}

// ParseSSHFingerprint reads the SHA-256 fingerprint of an SSH key, as ssh-keygen
// -l prints it, and returns it in the form of Identity.Fingerprint.
func ParseSSHFingerprint(s string) (string, error) {
	digits, ok := strings.CutPrefix(s, fingerprintPrefix)
	digits = strings.TrimRight(digits, "=")
	raw, err := base64.RawStdEncoding.Strict().DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size {
		return "", fmt.Errorf("%.80q is no fingerprint of an SSH key: ssh-keygen -l prints it, \"SHA256:\" and 43 characters of base64", s)
	}
	return fingerprintPrefix + digits, nil
}

// The hash algorithms of TLS (RFC 5246 section 7.4.1.4.1) as an RFC 7407
// tls-fingerprint begins with them.
const (
	tlsHashSHA256 = "\x04"
	tlsHashSHA384 = "\x05"
	tlsHashSHA512 = "\x06"
)

var tlsHashSizes = map[string]int{tlsHashSHA256: 32, tlsHashSHA384: 48, tlsHashSHA512: 64}

// parseTLSFingerprint reads a tls-fingerprint or what
// ParseCertificateFingerprint takes, and returns the bytes of the former.
func parseTLSFingerprint(s string) (string, error) {
	raw, ok := decodeHex(strings.TrimSpace(s))
	if !ok || len(raw) == sha256.Size {
		fingerprint, err := ParseCertificateFingerprint(s)
		if err != nil {
			return "", err
		}
		return tlsHashSHA256 + string(Identity{Fingerprint: fingerprint}.Digest()), nil
	}
	switch size, known := tlsHashSizes[string(raw[:1])]; {
	case !known:
		return "", fmt.Errorf("%.80q begins with %02x, and only 04 (SHA-256), 05 (SHA-384) and 06 (SHA-512) are safe", s, raw[0])
	case len(raw) != 1+size:
		return "", fmt.Errorf("%.80q has %d bytes after the %02x, and such a fingerprint %d", s, len(raw)-1, raw[0], size)
	}
	return string(raw), nil
}

// fingerprintLabels are ours, that of openssl x509, and those of openssl dgst,
// which changed with its versions.
var fingerprintLabels = []string{fingerprintPrefix, "SHA256 Fingerprint=", "SHA2-256(stdin)= ", "SHA256(stdin)= ", "(stdin)= "}

// cutFingerprintLabel returns what follows the label, if there is one.
func cutFingerprintLabel(s string) string {
	s = strings.TrimSpace(s)
	for _, label := range fingerprintLabels {
		if len(s) >= len(label) && strings.EqualFold(s[:len(label)], label) {
			return s[len(label):]
		}
	}
	return s
}

// isColonHex tells the digits of a certificate's fingerprint from those of an
// SSH key: base64 has no colons.
func isColonHex(digits string) bool { return strings.Contains(digits, ":") }

// beginsHex reports whether the digits, upper-case with colons, begin with ref.
func beginsHex(digits, ref string) bool {
	if len(ref)-strings.Count(ref, ":") < MinFingerprintHex {
		return false
	}
	ref = lowerASCII(ref)
	digits = lowerASCII(digits)
	return strings.HasPrefix(digits, ref) || strings.HasPrefix(strings.ReplaceAll(digits, ":", ""), ref)
}

// decodeHex reads hex digits with a colon between all bytes, or none.
func decodeHex(s string) ([]byte, bool) {
	if s == "" || len(s) > maxHexFingerprint {
		return nil, false
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || strings.Contains(s, ":") && !strings.EqualFold(s, colonHex(raw)) {
		return nil, false
	}
	return raw, true
}

func colonHex(raw []byte) string {
	var b strings.Builder
	for i, octet := range raw {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", octet)
	}
	return b.String()
}
