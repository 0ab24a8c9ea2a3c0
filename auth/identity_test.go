package auth_test

import (
	"testing"

	"callhome-gateway/auth"
)

func TestIdentityMatchesTheBeginningOfItsFingerprint(t *testing.T) {
	id := auth.Identity{Type: "ssh-ed25519", Fingerprint: "SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"}
	for ref, want := range map[string]bool{
		id.Fingerprint:          true,
		id.Fingerprint[7:]:      true,
		"SHA256:y9HxqfX7":       true,
		"y9HxqfX7":              true,
		"y9HxqfX":               false, // 42 bits
		"Y9HXQFX7":              false,
		"9HxqfX7W":              false,
		"":                      false,
		"SHA256:":               false,
		id.Fingerprint + "more": false,
	} {
		if got := id.Matches(ref); got != want {
			t.Errorf("Matches(%q) = %v", ref, got)
		}
	}
}

func TestIdentityOfACertificateMatchesTheBeginningOfItsFingerprint(t *testing.T) {
	id := auth.Identity{Type: auth.TypeCertificate, Fingerprint: "SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"}
	for ref, want := range map[string]bool{
		id.Fingerprint:     true,
		id.Fingerprint[7:]: true,
		"sha256 Fingerprint=" + id.Fingerprint[7:]: true,
		"SHA256 Fingerprint=9F:86:D0:81:88:4C":     true,
		"SHA256:9F:86:D0:81:88:4C":                 true,
		"sha256:9f:86:d0:81:88:4c":                 true,
		"9F:86:D0:81:88:4C:":                       true,
		"9F:86:D0:81:88:4C:7":                      true,
		"9f86d081884c":                             true,
		"9F86D081884C7":                            true,
		" 9f86d081884c\n":                          true,
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": true,
		"9F:86:D0:81:88:4":     false, // 44 bits
		"9f86d081884":          false,
		"9F:86:D0:81:88::::::": false,
		"86:D0:81:88:4C:7D":    false,
		"9:F86D081884C7D":      false,
		"9F:86:D0:81:88:4D":    false,
		"SHA256:":              false,
		"":                     false,
		id.Fingerprint + ":00": false,
		"sha256 Fingerprint=":  false,
	} {
		if got := id.Matches(ref); got != want {
			t.Errorf("Matches(%q) = %v", ref, got)
		}
	}
}

func TestDigest(t *testing.T) {
	for fingerprint, want := range map[string]int{
		"SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY":                                                     32,
		"SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6r":                                                      0,
		"SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08": 32,
		"SHA256:9F:86:D0:81:88:4C": 0,
		"SHA256::":                 0,
		"":                         0,
	} {
		if digest := (auth.Identity{Fingerprint: fingerprint}).Digest(); len(digest) != want {
			t.Errorf("%q: %x", fingerprint, digest)
		}
	}
}
