package devicesim

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// GenerateKey returns a new random ed25519 host key.
func GenerateKey() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate host key: %w", err)
	}
	return ssh.NewSignerFromKey(key)
}

// KeyFromSeed returns the ed25519 host key of device number index. The same
// seed and index always give the same key, so that simulated devices keep
// their identity over restarts. Anyone who knows the seed knows the keys.
func KeyFromSeed(seed string, index int) (ssh.Signer, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "callhome-device host key %d of %q", index, seed))
	return ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(sum[:]))
}
