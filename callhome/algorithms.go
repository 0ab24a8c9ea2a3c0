package callhome

import "golang.org/x/crypto/ssh"

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
	// hostKeyTypes are the types of host key in the order in which devices
	// that have several are asked for them.
	hostKeyTypes = []string{
		ssh.KeyAlgoED25519,
		ssh.KeyAlgoECDSA256,
		ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSA,
	}
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
			// An ssh-rsa key signs with SHA-2 (RFC 8332); SHA-1 is not offered.
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		algorithms = append(algorithms, t)
	}
	return algorithms
}
