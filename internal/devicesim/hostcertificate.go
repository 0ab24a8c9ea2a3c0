package devicesim

import (
	"crypto/rand"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// CertifyHost returns the host key with a certificate for it by the CA (of
// OpenSSH's kind, PROTOCOL.certkeys) that has these principals. The zero time
// means that it does not expire. It is one more host key of a device, beside
// the bare one.
func CertifyHost(key, ca ssh.Signer, expires time.Time, principals ...string) (ssh.Signer, error) {
	c := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, KeyId: fmt.Sprint(principals), ValidPrincipals: principals,
		ValidBefore: ssh.CertTimeInfinity,
	}
	if !expires.IsZero() {
		c.ValidBefore = uint64(expires.Unix())
	}
	if err := c.SignCert(rand.Reader, ca); err != nil {
		return nil, fmt.Errorf("certify host key: %w", err)
	}
	return ssh.NewCertSigner(c, key)
}

// bareKey returns the key that a certificate is for, or the key itself.
func bareKey(key ssh.PublicKey) ssh.PublicKey {
	if c, ok := key.(*ssh.Certificate); ok {
		return c.Key
	}
	return key
}
