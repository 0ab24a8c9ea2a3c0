package auth

import (
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// HostKeyTypes returns the types of SSH host keys that devices may have, the best
// first.
func HostKeyTypes() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA}
}

// SignatureAlgorithms returns the signatures that managers may prove their keys
// by, and with which CAs may sign the certificates of managers and devices: none
// with SHA-1.
func SignatureAlgorithms() []string {
	return []string{
		ssh.KeyAlgoED25519,
		ssh.KeyAlgoSKED25519,
		ssh.KeyAlgoECDSA256,
		ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoRSASHA512,
		ssh.KeyAlgoRSASHA256,
	}
}

// sshValidAt returns an error that gives the dates when the certificate is not
// valid at that time.
func sshValidAt(cert *ssh.Certificate, now time.Time) error {
	switch at := uint64(max(0, now.Unix())); {
	case at < cert.ValidAfter:
		return fmt.Errorf("it is valid from %s on, and it is %s", sshStamp(cert.ValidAfter), stamp(now))
	case at >= cert.ValidBefore: // the last second is ssh.CertTimeInfinity
		return fmt.Errorf("it was valid until %s, and it is %s", sshStamp(cert.ValidBefore), stamp(now))
	}
	return nil
}

// sshStamp is stamp for a time in seconds, which may be as far off as the year
// 584 billion.
func sshStamp(seconds uint64) string {
	const year9999 = 253402300799
	return stamp(time.Unix(int64(min(seconds, year9999)), 0))
}
