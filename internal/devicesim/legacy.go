package devicesim

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

const legacyKeyBits = 2048

// generateLegacyKey returns a new random RSA host key.
func generateLegacyKey() (ssh.Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, legacyKeyBits)
	if err != nil {
		return nil, fmt.Errorf("generate RSA host key: %w", err)
	}
	return ssh.NewSignerFromKey(key)
}

// useLegacyAlgorithms leaves a server what one of long ago has, and a client
// of today should not take: SHA-1 everywhere.
func (d *Device) useLegacyAlgorithms(config *ssh.ServerConfig) error {
	config.KeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1}
	config.Ciphers = []string{ssh.CipherAES128CTR} // one that needs a MAC
	config.MACs = []string{ssh.HMACSHA1}
	for _, key := range d.o.HostKeys {
		signer, ok := key.(ssh.AlgorithmSigner)
		if !ok || key.PublicKey().Type() != ssh.KeyAlgoRSA {
			return errors.New("a device with legacy algorithms needs RSA host keys")
		}
		old, err := ssh.NewSignerWithAlgorithms(signer, []string{ssh.KeyAlgoRSA}) // RSA with SHA-1
		if err != nil {
			return fmt.Errorf("host key: %w", err)
		}
		config.AddHostKey(old) // in place of the one that can do more
	}
	return nil
}
