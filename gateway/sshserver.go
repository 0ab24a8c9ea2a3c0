package gateway

import (
	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// What managers may negotiate: modern algorithms only, whatever x/crypto's
// defaults are. No hmac-sha1, no ssh-rsa, no group-exchange (an 8192-bit group
// costs 0.4 s of CPU before any login). The ctr ciphers are there for
// paramiko, which has neither GCM nor ChaCha20; curve25519 brings its
// @libssh.org name along, the only one that paramiko knows.
var (
	keyExchanges = []string{
		ssh.KeyExchangeMLKEM768X25519,
		ssh.KeyExchangeCurve25519,
		ssh.KeyExchangeECDHP256,
		ssh.KeyExchangeECDHP384,
		ssh.KeyExchangeECDHP521,
		ssh.KeyExchangeDH16SHA512,
		ssh.KeyExchangeDH14SHA256,
	}
	ciphers = []string{
		ssh.CipherAES128GCM,
		ssh.CipherAES256GCM,
		ssh.CipherChaCha20Poly1305,
		ssh.CipherAES128CTR,
		ssh.CipherAES192CTR,
		ssh.CipherAES256CTR,
	}
	macs = []string{
		ssh.HMACSHA256ETM,
		ssh.HMACSHA512ETM,
		ssh.HMACSHA256,
		ssh.HMACSHA512,
	}
	rsaHostKeyAlgorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
)

// serverVersion is what the port announces itself as (RFC 4253 section 4.2).
const serverVersion = "SSH-2.0-callhome-gateway"

// maxAuthTries is generous for the sake of agents that hold many keys.
const maxAuthTries = 10

// newServerConfig returns a configuration that lacks only its callbacks.
func newServerConfig(hostKeys []ssh.Signer) (*ssh.ServerConfig, error) {
	config := &ssh.ServerConfig{
		Config:                  ssh.Config{KeyExchanges: keyExchanges, Ciphers: ciphers, MACs: macs},
		PublicKeyAuthAlgorithms: auth.SignatureAlgorithms(), // with each its certificates
		MaxAuthTries:            maxAuthTries,
		ServerVersion:           serverVersion,
	}
	for _, key := range hostKeys {
		if key.PublicKey().Type() == ssh.KeyAlgoRSA {
			// An RSA key is offered for every signature it can make, SHA-1 too.
			signer, ok := key.(ssh.AlgorithmSigner)
			if !ok {
				continue
			}
			var err error
			if key, err = ssh.NewSignerWithAlgorithms(signer, rsaHostKeyAlgorithms); err != nil {
				return nil, err
			}
		}
		config.AddHostKey(key)
	}
	return config, nil
}
