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
