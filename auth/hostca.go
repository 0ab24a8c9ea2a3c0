package auth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// HostCA is what a user entry trusts to certify the SSH host keys of devices
// (OpenSSH's host certificates). A nil *HostCA has no key.
type HostCA struct {
	// Keys are the CAs' public keys.
	Keys []ssh.PublicKey
	// NamesDevices says that the certificate's only principal names a device
	// without a session entry; otherwise an entry must expect a principal.
	NamesDevices bool
	// NameDomain is cut off principals that end with it, as UserTLS.NameDomain is.
	NameDomain string
}

// Verify checks that one of the CAs has certified the host key, at this time
// and without conditions. The error is ErrExpired only when nothing else is
// wrong. That the device has the key is for the SSH handshake to prove.
func (ca *HostCA) Verify(cert *ssh.Certificate, now time.Time) error {
	switch {
	case !ca.holds(cert.SignatureKey):
		return fmt.Errorf("%w: the CA's key is %s", ErrUnknownCA, ssh.FingerprintSHA256(cert.SignatureKey))
	case cert.CertType != ssh.HostCert:
		return fmt.Errorf("%w: it certifies a user, not a host (ssh-keygen -h)", ErrWrongUsage)
	case len(cert.ValidPrincipals) == 0:
		// OpenSSH takes it for a certificate for every host.
		return fmt.Errorf("%w: it has no principal, and so is for no host in particular (ssh-keygen -n)", ErrCertificate)
	case !slices.Contains(SignatureAlgorithms(), cert.Signature.Format):
		return fmt.Errorf("%w: the CA has signed it with %.40q, which can be forged: issue it again with SHA-2 (ssh-keygen -t rsa-sha2-512)", ErrCertificate, cert.Signature.Format)
	case cert.ValidAfter >= cert.ValidBefore:
		return fmt.Errorf("%w: it ends before it begins, and is valid at no time", ErrCertificate)
	}
	// Its dates are looked at afterwards. There is no critical option for host
	// certificates: x/crypto refuses whatever is there.
	begin := func() time.Time { return time.Unix(int64(cert.ValidAfter), 0) }
	if err := (&ssh.CertChecker{Clock: begin}).CheckCert(cert.ValidPrincipals[0], cert); err != nil {
		return fmt.Errorf("%w: %.200q", ErrCertificate, strings.TrimPrefix(err.Error(), "ssh: "))
	}
	if err := sshValidAt(cert, now); err != nil {
		return fmt.Errorf("%w: %w", ErrExpired, err)
	}
	return nil
}

// Holds reports whether one of the CAs has the key, as SSHIdentity returns it.
func (ca *HostCA) Holds(key Identity) bool {
	return ca != nil && slices.ContainsFunc(ca.Keys, func(k ssh.PublicKey) bool { return SSHIdentity(k) == key })
}

func (ca *HostCA) holds(key ssh.PublicKey) bool { return ca.Holds(SSHIdentity(key)) }

// HostPrincipals returns the names that a host certificate is for, each as
// NormalizeCertificateName writes it. Of more than a hundred it returns the
// first; those that NormalizeCertificateName refuses are left out.
func HostPrincipals(cert *ssh.Certificate) []string {
	return normalizedNames(cert.ValidPrincipals)
}

// DeviceName returns the name that the certificate gives its device, in lower
// case, as UserTLS.DeviceName does.
func (ca *HostCA) DeviceName(cert *ssh.Certificate) (string, error) {
	if n := len(cert.ValidPrincipals); n != 1 {
		return "", fmt.Errorf("the certificate has %d principals, and only one can name the device", n)
	}
	return deviceName("principal", cert.ValidPrincipals[0], ca.NameDomain)
}
