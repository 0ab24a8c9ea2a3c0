package callhome

import (
	"slices"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// What the gateway offers to devices, in order of preference. These lists are
// explicit because the defaults of x/crypto/ssh still accept ssh-rsa,
// diffie-hellman-group14-sha1 and hmac-sha1. Group exchange is left out: a
// device that picks an 8192-bit group costs 0.4 s of CPU before it has proved
// anything.
var (
	keyExchanges = []string{
		ssh.KeyExchangeCurve25519, // before ML-KEM: a tenth of the bytes, less CPU in a storm
		ssh.KeyExchangeMLKEM768X25519,
		ssh.KeyExchangeECDHP256,
		ssh.KeyExchangeECDHP384,
		ssh.KeyExchangeECDHP521,
		ssh.KeyExchangeDH14SHA256,
		ssh.KeyExchangeDH16SHA512,
	}
	ciphers = []string{
		ssh.CipherAES128GCM,
		ssh.CipherAES256GCM,
		ssh.CipherChaCha20Poly1305,
		ssh.CipherAES128CTR, // counter mode for stacks without an AEAD, paramiko for one
		ssh.CipherAES192CTR,
		ssh.CipherAES256CTR,
	}
	macs = []string{
		ssh.HMACSHA256ETM,
		ssh.HMACSHA512ETM,
		ssh.HMACSHA256,
		ssh.HMACSHA512,
	}
	// aeads are the ciphers that need no MAC.
	aeads = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305}

	// What is offered at the end of each list where legacy_algorithms allows it.
	// Group 1 is left out: its 1024 bits can be broken by whoever listens.
	oldKeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1}
	oldCiphers      = []string{ssh.InsecureCipherAES128CBC, ssh.InsecureCipherTripleDESCBC}
	oldMACs         = []string{ssh.HMACSHA1}
	oldHostKeys     = []string{ssh.KeyAlgoRSA}
	oldAlgorithms   = slices.Concat(oldHostKeys, oldKeyExchanges, oldMACs, oldCiphers)

	// hostKeyTypes are the types of host key in the order in which devices
	// that have several are asked for them.
	hostKeyTypes = auth.HostKeyTypes()
)

// certificateAlgorithms are the algorithms that ask for a certificate of a host
// key of the type.
func certificateAlgorithms(keyType string) []string {
	switch keyType {
	case ssh.KeyAlgoED25519:
		return []string{ssh.CertAlgoED25519v01}
	case ssh.KeyAlgoECDSA256:
		return []string{ssh.CertAlgoECDSA256v01}
	case ssh.KeyAlgoECDSA384:
		return []string{ssh.CertAlgoECDSA384v01}
	case ssh.KeyAlgoECDSA521:
		return []string{ssh.CertAlgoECDSA521v01}
	case ssh.KeyAlgoRSA:
		return []string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01}
	}
	return nil
}

// oldOf returns the old ones among the algorithms, each once.
func oldOf(algorithms []string) []string {
	var old []string
	for _, algorithm := range oldAlgorithms {
		if slices.Contains(algorithms, algorithm) {
			old = append(old, algorithm)
		}
	}
	return old
}

// sshConfig returns a configuration that offers the device what the plan says.
func (p *plan) sshConfig() *ssh.ClientConfig {
	config := &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: keyExchanges, Ciphers: ciphers, MACs: macs},
		User:              p.user.Username,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: p.hostKeyAlgorithms(),
	}
	if p.legacy {
		config.KeyExchanges = slices.Concat(keyExchanges, oldKeyExchanges)
		config.Ciphers = slices.Concat(ciphers, oldCiphers)
		config.MACs = slices.Concat(macs, oldMACs)
	}
	config.SetDefaults() // curve25519 has another name as well
	return config
}

// hostKeyAlgorithms returns the signature algorithms that ask for what the plan
// wants to see, in order.
func (p *plan) hostKeyAlgorithms() []string {
	var algorithms []string
	if p.certificates {
		for _, t := range hostKeyTypes {
			algorithms = append(algorithms, certificateAlgorithms(t)...)
		}
	}
	for _, t := range p.hostKeyTypes {
		if t == ssh.KeyAlgoRSA {
			// An ssh-rsa key signs with SHA-2 (RFC 8332).
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		algorithms = append(algorithms, t)
	}
	if p.legacy && slices.Contains(p.hostKeyTypes, ssh.KeyAlgoRSA) {
		algorithms = append(algorithms, oldHostKeys...)
	}
	return algorithms
}
